// `lego dashboard` as a user sees it: a browser without a window looks at a rack that runs a program.

using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Threading.Tasks;
using PuppeteerSharp;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class DashboardTests
{
    private const int Interrupted = 130;
    private const string TwoMemories = """
        region: 2M
        components:
          - {kind: processor, excache: 4M}
          - {kind: memory, memory: 256M}
          - {kind: memory, memory: 256M}
          - kind: storage
          - kind: manager
        """;

    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromSeconds(60));

    private readonly string _name = $"d{Environment.ProcessId}";

    /// <summary>Where a picture of the page goes, if one is wanted: docs/dashboard.png is from here.</summary>
    private static string? PictureFile => Environment.GetEnvironmentVariable("LEGO_DASHBOARD_PICTURE");

    [Fact]
    public async Task A_browser_sees_components_and_counters_that_grow_and_is_told_when_the_rack_goes()
    {
        await UpAsync(TwoMemories, "--boot", "g0:placement=round-robin");
        try
        {
            Assert.Equal(0, (await LegoTool.RunAsync("vnode", "create", "blue", "--name", _name)).Status);
            using Process program = LegoTool.Start("run", "--name", _name, "--", "sh", "-c",
                "while :; do dd if=/dev/zero bs=8M count=1 2>/dev/null | sort | wc -c; done >/dev/null");
            (Process dashboard, string address) = await StartAsync();
            await using (Browser browser = await Browser.OpenAsync(address))
            {
                await browser.UntilAsync("document.querySelector('#condition').textContent === 'up'");
                foreach (string component in new[] { "p0", "m0", "m1", "s0", "g0" })
                {
                    await browser.UntilAsync($"document.querySelector('#rack [data-component={component}]') !== null");
                }

                // The eleventh column: lines that p0 has fetched in the last second.
                await browser.UntilAsync("parseInt(document.querySelector('#components tbody tr').cells[10].textContent) > 0");
                await browser.UntilAsync("parseInt(document.querySelector('#rack [data-link=p0-m0]').textContent) > 0");
                await browser.UntilAsync("[...document.querySelectorAll('#regions tbody tr')].some(r => r.cells[1].textContent === 'm1')");
                await browser.UntilAsync("document.querySelector('#vnodes').textContent.includes('blue')");
                await browser.UntilAsync("document.querySelector('#log').textContent.includes('joined')");
                await browser.UntilAsync("document.querySelectorAll('.charts canvas').length === 4");
                await browser.UntilAsync("/p0 [1-9]/.test(document.querySelector('#misses').getAttribute('aria-label'))");
                await PictureAsync(browser);
                Assert.Equal(0, (await LegoTool.RunAsync("down", "--name", _name)).Status);
                await browser.UntilAsync("document.querySelector('#trouble').textContent.includes('The rack is down')");
                Assert.Empty(browser.Complaints);
                Assert.NotEmpty(browser.Requests);
                Assert.All(browser.Requests, request => Assert.StartsWith(address, request));
                // With a page open, too, it ends at once.
                await EndAsync(dashboard);
                await browser.UntilAsync("document.querySelector('#trouble').textContent.includes('The dashboard has ended')");
            }

            program.Kill();
        }
        finally
        {
            await LegoTool.RunAsync("down", "--name", _name);
        }
    }

    [Fact]
    public async Task Only_the_own_page_changes_something_and_only_if_that_was_wanted()
    {
        await UpAsync(TwoMemories);
        try
        {
            // A program: the component that caches its files is its home.
            Assert.Equal(0, (await LegoTool.RunAsync("run", "--name", _name, "--", "true")).Status);
            (Process watching, string shown) = await StartAsync();
            Assert.Equal(HttpStatusCode.OK, await AskAsync(shown, HttpMethod.Get));
            Assert.Equal(HttpStatusCode.OK, await AskAsync(shown, HttpMethod.Get, host: $"localhost:{new Uri(shown).Port}"));
            Assert.Equal(HttpStatusCode.MisdirectedRequest, await AskAsync(shown, HttpMethod.Get, host: "rebound.example"));
            Assert.Equal(HttpStatusCode.MisdirectedRequest, await AskAsync(shown, HttpMethod.Get, host: "127.0.0.1:1"));
            string origin = shown.TrimEnd('/');
            Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(shown + "control/kill/m0", HttpMethod.Post, origin: origin));
            await EndAsync(watching);

            (Process controlling, string address) = await StartAsync("--control");
            origin = address.TrimEnd('/');
            string drain = address + "control/drain/m1";
            await using (Browser browser = await Browser.OpenAsync(address))
            {
                string token = await browser.Page.EvaluateExpressionAsync<string>(
                    "document.querySelector('meta[name=control-token]').content");
                Assert.Equal(64, token.Length);
                Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(drain, HttpMethod.Post, null, "http://elsewhere.example", token));
                Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(drain, HttpMethod.Post, null, null, token));
                Assert.Equal(HttpStatusCode.Forbidden, await AskAsync(drain, HttpMethod.Post, null, origin));
                await browser.UntilAsync("document.querySelector('[aria-label=\"drain m1\"]') !== null");
                await ClickAsync(browser, "drain m1", "m1 owns no programs' memory any more");
                await ClickAsync(browser, "undrain m1", "m1 may own programs' memory again");
                await ClickAsync(browser, "drain m0", "m0 (memory) cannot be drained");
                await ClickAsync(browser, "freeze m1", "m1's CPUs stand still");
                await ClickAsync(browser, "thaw m1", "m1's CPUs go on");
                browser.Page.Dialog += async (_, dialog) => await dialog.Dialog.Accept();
                await ClickAsync(browser, "kill m1", "m1's machine has been killed");
                await browser.UntilAsync("document.querySelector('#rack [data-component=m1]').classList.contains('ended')");
            }

            await EndAsync(controlling);
        }
        finally
        {
            await LegoTool.RunAsync("down", "--name", _name);
        }
    }

    [Fact]
    public async Task What_cannot_be_shown_is_a_sentence()
    {
        CommandResult nobody = await LegoTool.RunAsync("dashboard", "--name", "nobody");
        Assert.Equal((2, "lego: no rack nobody is up; `./lego ps` lists them\n"), (nobody.Status, nobody.ErrorText));
        CommandResult port = await LegoTool.RunAsync("dashboard", "--port", "65536");
        Assert.Equal(2, port.Status);
        Assert.Equal("lego: --port 65536: a port is a number from 1 to 65535, or 0 for one that is free\n", port.ErrorText);
        CommandResult word = await LegoTool.RunAsync("dashboard", "--port", "many");
        Assert.Equal(2, word.Status);
        Assert.StartsWith("lego: ", word.ErrorText);

        await UpAsync("components: [{kind: processor}, {kind: memory, memory: 256M}, {kind: storage}, {kind: manager}]");
        try
        {
            (Process first, string address) = await StartAsync();
            int taken = new Uri(address).Port;
            CommandResult second = await LegoTool.RunAsync("dashboard", "--name", _name, "--port", $"{taken}");
            Assert.Equal(69, second.Status);
            Assert.Equal($"lego: port {taken} of 127.0.0.1 is taken; --port 0 takes one that is free\n", second.ErrorText);
            await EndAsync(first);
        }
        finally
        {
            await LegoTool.RunAsync("down", "--name", _name);
        }
    }

    private async Task UpAsync(string file, params string[] options)
    {
        string path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, file);
        CommandResult up = await LegoTool.RunAsync(["up", "--rack", path, "--name", _name, .. options]);
        File.Delete(path);
        Assert.True(up.Status == 0, up.ToString());
    }

    /// <summary>Starts the dashboard on a free port; its process and its address.</summary>
    private async Task<(Process Process, string Address)> StartAsync(params string[] options)
    {
        Process dashboard = LegoTool.Start(["dashboard", "--name", _name, "--port", "0", .. options]);
        string? line = await dashboard.StandardOutput.ReadLineAsync().WaitAsync(s_limit);
        string said = line ?? await dashboard.StandardError.ReadToEndAsync();
        Assert.StartsWith("http://127.0.0.1:", said);
        return (dashboard, said.Split(' ')[0]);
    }

    /// <summary>Ctrl-C.</summary>
    private static async Task EndAsync(Process dashboard)
    {
        LegoTool.Signal(dashboard.Id, "INT");
        CommandResult end = await LegoTool.FinishAsync(dashboard);
        Assert.True(end.Status is 0 or Interrupted, end.ToString());
        Assert.Equal("", end.ErrorText);
        dashboard.Dispose();
    }

    private static async Task<HttpStatusCode> AskAsync(
        string address, HttpMethod method, string? host = null, string? origin = null, string? token = null)
    {
        using HttpClient client = new();
        using HttpRequestMessage request = new(method, address);
        request.Headers.Host = host;
        if (origin is not null)
        {
            request.Headers.Add("Origin", origin);
        }

        if (token is not null)
        {
            request.Headers.Add("X-Lego-Token", token);
        }

        using HttpResponseMessage response = await client.SendAsync(request);
        return response.StatusCode;
    }

    private static async Task ClickAsync(Browser browser, string button, string answer)
    {
        await browser.Page.ClickAsync($"[aria-label=\"{button}\"]");
        await browser.UntilAsync($"document.querySelector('#answer').textContent.includes(\"{answer}\")");
    }

    private static async Task PictureAsync(Browser browser)
    {
        if (PictureFile is { Length: > 0 } file)
        {
            // Charts need some seconds.
            await Task.Delay(TimeSpan.FromSeconds(40));
            await browser.Page.ScreenshotAsync(file, new ScreenshotOptions { FullPage = true });
        }
    }
}
