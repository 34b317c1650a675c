// Debian's chromium without a window, driven by its DevTools protocol (PuppeteerSharp). It resolves no name, and every address that a page
// asks for is noted.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;
using PuppeteerSharp;

namespace Lego.Rack.Tests;

/// <summary>A browser with one page.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromSeconds(60));
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(200);

    private readonly IBrowser _browser;
    private readonly ConcurrentQueue<string> _requests;
    private readonly ConcurrentQueue<string> _complaints;

    private Browser(IBrowser browser, IPage page, ConcurrentQueue<string> requests, ConcurrentQueue<string> complaints)
    {
        _browser = browser;
        Page = page;
        _requests = requests;
        _complaints = complaints;
    }

    /// <summary>The page.</summary>
    public IPage Page { get; }

    /// <summary>All addresses that the page has asked for.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    /// <summary>Errors of the page's scripts, and what its content security policy has refused.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    /// <summary>Opens a page of 1280 by 800 pixels.</summary>
    public static async Task<Browser> OpenAsync(string address)
    {
        IBrowser browser = await Puppeteer.LaunchAsync(new LaunchOptions
        {
            Headless = true,
            ExecutablePath = "/usr/bin/chromium",
            // Its sandbox needs what root in a container lacks; the page is this repository's.
            Args = ["--no-sandbox", "--host-resolver-rules=\"MAP * ~NOTFOUND, EXCLUDE 127.0.0.1\"", "--disable-background-networking"],
            DefaultViewport = new ViewPortOptions { Width = 1280, Height = 800 },
            Timeout = (int)s_limit.TotalMilliseconds,
        });
        IPage page = await browser.NewPageAsync();
        ConcurrentQueue<string> requests = new();
        ConcurrentQueue<string> complaints = new();
        page.Request += (_, request) => requests.Enqueue(request.Request.Url);
        page.PageError += (_, error) => complaints.Enqueue(error.Message);
        page.Console += (_, line) =>
        {
            if (line.Message.Type == ConsoleType.Error)
            {
                complaints.Enqueue(line.Message.Text);
            }
        };
        // The stream of events never ends: the page is loaded, not idle.
        await page.GoToAsync(address, new NavigationOptions
        {
            WaitUntil = [WaitUntilNavigation.DOMContentLoaded],
            Timeout = (int)s_limit.TotalMilliseconds,
        });
        return new Browser(browser, page, requests, complaints);
    }

    /// <summary>Waits until an expression of JavaScript is true; not in the page, whose content security policy refuses that.</summary>
    public async Task UntilAsync(string expression)
    {
        long start = Stopwatch.GetTimestamp();
        while (!await Page.EvaluateExpressionAsync<bool>(expression))
        {
            if (Stopwatch.GetElapsedTime(start) > s_limit)
            {
                string text = await Page.EvaluateExpressionAsync<string>("document.body.innerText");
                throw new TimeoutException($"not within {s_limit}: {expression}\n{string.Join('\n', _complaints)}\n{text}");
            }

            await Task.Delay(s_pause);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.CloseAsync();
        await _browser.DisposeAsync();
    }
}
