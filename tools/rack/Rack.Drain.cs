// Taking what a memory component owns to others while programs run (docs/architecture.md, "Draining"). For scripts and for `lego drain`.

using System;
using System.Diagnostics;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>How a drain has gone.</summary>
/// <param name="Pages">Pages that have moved.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="LongestPause">The longest time that a page was served by nobody, because it was on its way.</param>
public sealed record DrainReport(long Pages, TimeSpan Elapsed, TimeSpan LongestPause);

/// <summary>What the manager says of a drain.</summary>
internal readonly record struct DrainAnswer(uint Error, uint RunsLeft, uint Failures, uint LastError, ulong Pages, ulong LongestPauseNs);

public sealed partial class Rack
{
    private const uint Again = 11; // EAGAIN
    private const uint OutOfMemory = 12; // ENOMEM
    private const uint Busy = 16; // EBUSY
    private const uint Invalid = 22; // EINVAL
    private const uint HostDown = 112; // EHOSTDOWN
    /// <summary>
    /// Failures in a row after which a drain is given up; each stands for a try, and tries are a twentieth of a second apart.
    /// </summary>
    private const uint MostFailures = 40;
    private static readonly TimeSpan s_drainPause = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// Has other memory components take all that a component owns of programs' memory, and gives it none from now on. The programs go on.
    /// </summary>
    /// <param name="component">Its name.</param>
    /// <param name="onProgress">Hears how many pages have moved.</param>
    /// <exception cref="ToolException">It cannot be drained, or not all of it could be moved.</exception>
    public async Task<DrainReport> DrainAsync(string component, Action<long>? onProgress = null)
    {
        ComponentLine found = await FindAsync(component);
        using KeeperClient client = await ConnectAsync();
        Stopwatch watch = Stopwatch.StartNew();
        while (true)
        {
            DrainAnswer answer = await client.AskDrainAsync(found.Node, isDrained: true);
            Refuse(found, answer);
            onProgress?.Invoke((long)answer.Pages);
            if (answer is { Error: 0, RunsLeft: 0 })
            {
                return new DrainReport((long)answer.Pages, watch.Elapsed, TimeSpan.FromMicroseconds(answer.LongestPauseNs / 1e3));
            }

            await Task.Delay(s_drainPause);
        }
    }

    /// <summary>Lets a component that was drained own programs' memory again.</summary>
    /// <exception cref="ToolException">It is no memory component, or has failed.</exception>
    public async Task UndrainAsync(string component)
    {
        ComponentLine found = await FindAsync(component);
        using KeeperClient client = await ConnectAsync();
        DrainAnswer answer;
        while ((answer = await client.AskDrainAsync(found.Node, isDrained: false)).Error == Again)
        {
            await Task.Delay(s_drainPause);
        }

        Refuse(found, answer);
    }

    private static void Refuse(ComponentLine component, DrainAnswer answer)
    {
        string? reason = answer.Error switch
        {
            Invalid => $"{component.Title} owns no programs' memory; only memory components do",
            Busy => $"{component.Title} cannot be drained: it caches the files of programs and is the home of their address spaces, "
                + "and neither moves yet",
            OutOfMemory => $"{component.Title} cannot be drained: there is no other memory component to take what it has",
            HostDown => $"{component.Title} has failed",
            0 or Again when answer.Failures < MostFailures => null,
            0 or Again => $"{component.Title} is not empty: {answer.RunsLeft} ranges of programs' memory stay there, because "
                + (answer.LastError == OutOfMemory ? "no other memory component has room for them"
                    : $"moving them fails (errno {answer.LastError})")
                + $"; it gets no new ones until ./lego undrain {component.Name}",
            _ => $"{component.Title} cannot be drained: error {answer.Error}",
        };
        if (reason is not null)
        {
            throw answer.Error is 0 or HostDown ? ToolException.Rack(reason) : ToolException.Usage(reason);
        }
    }
}
