// One running machine of a rack: its QEMU process and its control channel. Requests whose replies come back in order (statistics) are tasks
// here; the frames of programs' sessions go to the owner (RackKeeper). All members may be called from any task.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>A component that runs.</summary>
internal sealed class Machine : IDisposable
{
    /// <summary>How often a machine that is shutting down is looked at until it counts as still.</summary>
    private const int LooksPerLimit = 5;

    private readonly Process _process;
    private readonly ControlChannel _channel;
    private readonly RackDirectory _directory;
    private readonly TaskCompletionSource<string> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<TaskCompletionSource<string>> _statistics = new();
    private readonly SemaphoreSlim _asking = new(1, 1);

    public Machine(ComponentDescription component, Process process, ControlChannel channel, RackDirectory directory)
    {
        Component = component;
        _process = process;
        _channel = channel;
        _directory = directory;
        Started = Stopwatch.GetTimestamp();
        Ended = WatchAsync();
    }

    public ComponentDescription Component { get; }

    public int ProcessId => _process.Id;

    /// <summary>When the process was started, <see cref="Stopwatch"/> ticks.</summary>
    public long Started { get; }

    /// <summary>The image's answer to Hello: "kind name ready".</summary>
    public Task<string> Ready => _ready.Task;

    /// <summary>Completes when the machine is gone, with a sentence that says why.</summary>
    public Task<string> Ended { get; }

    /// <summary>How often the component's machine was started anew before.</summary>
    public int Restarts { get; init; }

    /// <summary>It ended unasked, and the rack goes on without it.</summary>
    public bool IsLost { get; set; }

    /// <summary>Greets the image and handles what it sends until the channel ends.</summary>
    public async Task ServeAsync(Action<ControlFrame> onSessionFrame)
    {
        await SendAsync(ControlFrame.WithNumber(ControlFrameType.Hello, 0, ControlFrame.ProtocolVersion));
        while (await _channel.ReadAsync() is { } frame)
        {
            switch (frame.Type)
            {
                case ControlFrameType.HelloReply:
                    _ready.TrySetResult(frame.Text(sizeof(uint)));
                    break;
                case ControlFrameType.StatisticsReply:
                    CompleteStatistics(frame.Text());
                    break;
                case ControlFrameType.Pong:
                    break;
                default:
                    onSessionFrame(frame);
                    break;
            }
        }
    }

    public Task<bool> SendAsync(ControlFrame frame) => _channel.WriteAsync(frame);

    /// <summary>Asks for the component's counters: "name value" lines.</summary>
    /// <exception cref="TimeoutException">The component did not answer in time, or is gone.</exception>
    public async Task<string> StatisticsAsync(TimeSpan limit)
    {
        if (Ended.IsCompleted)
        {
            throw new TimeoutException($"{Component.Title} is gone");
        }

        TaskCompletionSource<string> reply = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await _asking.WaitAsync();
        try
        {
            lock (_statistics)
            {
                _statistics.Enqueue(reply);
            }

            await SendAsync(new ControlFrame(ControlFrameType.Statistics, 0, default));
        }
        finally
        {
            _asking.Release();
        }

        return await reply.Task.WaitAsync(limit);
    }

    /// <summary>
    /// Asks the image to flush and end, and waits for as long as its counters show that it works; kills it when they have stood still for
    /// <paramref name="limit"/>, or at once when <paramref name="impatience"/> says so. Null when it ended in good order, else a sentence.
    /// </summary>
    public async Task<string?> ShutDownAsync(TimeSpan limit, CancellationToken impatience)
    {
        await SendAsync(new ControlFrame(ControlFrameType.Shutdown, 0, default));
        string work = "";
        TimeSpan step = limit / LooksPerLimit;
        int still = 0;
        while (await Task.WhenAny(Ended, Task.Delay(step, impatience)) != Ended)
        {
            string now = impatience.IsCancellationRequested ? work : await WorkAsync(step);
            still = now == work ? still + 1 : 0;
            work = now;
            if (impatience.IsCancellationRequested || (still >= LooksPerLimit && !Ended.IsCompleted))
            {
                Kill();
                string why = impatience.IsCancellationRequested ? "it was not given the time"
                    : $"it had done nothing for {limit.TotalSeconds:0} s";
                return $"{Component.Title} did not shut down in good order: {why}";
            }
        }

        return _process.ExitCode switch
        {
            MachineEnd.OrderlyStatus => null,
            MachineEnd.DataLostStatus => await Ended,
            _ => $"{Component.Title} did not shut down in good order: {await Ended}",
        };
    }

    /// <summary>Ends the process at once; it is gone when this returns.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            return;
        }

        _process.WaitForExit();
    }

    public void Dispose()
    {
        Kill();
        _channel.Dispose();
        _process.Dispose();
    }

    private async Task<string> WatchAsync()
    {
        await _process.WaitForExitAsync();
        string name = Component.Name;
        return MachineEnd.Describe(Component, _process.ExitCode, SerialLog.Read(_directory.SerialLog(name)),
            SerialLog.Read(_directory.QemuLog(name)));
    }

    // The counters of the monitors' own work. Those of the fabric also count heartbeats, which say nothing about progress.
    private async Task<string> WorkAsync(TimeSpan limit)
    {
        try
        {
            string[] lines = (await StatisticsAsync(limit)).Split('\n');
            return string.Join('\n',
                lines.Where(line => line.StartsWith("memory.", StringComparison.Ordinal)
                || line.StartsWith("storage.", StringComparison.Ordinal)));
        }
        catch (TimeoutException)
        {
            return "";
        }
    }

    private void CompleteStatistics(string text)
    {
        TaskCompletionSource<string>? asked = null;
        lock (_statistics)
        {
            _statistics.TryDequeue(out asked);
        }

        asked?.TrySetResult(text);
    }
}
