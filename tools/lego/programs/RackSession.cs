// A rack of the tool's own, for commands that run programs on it and look at the result (demo, bench): boots, runs, collects output as
// text, reads counters, and leaves nothing behind.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Tool;

/// <summary>How a program ended and what it printed.</summary>
public sealed record SessionResult(int Status, string Output, string Error);

/// <summary>A booted rack and a connection to it.</summary>
public sealed class RackSession : IAsyncDisposable
{
    private readonly RackKeeper _keeper;

    private RackSession(RackKeeper keeper)
    {
        _keeper = keeper;
    }

    public RackKeeper Keeper => _keeper;

    public static async Task<RackSession> BootAsync(RackOrder order, Progress progress, CancellationToken cancellation) =>
        new(await RackKeeper.BootAsync(order, progress, cancellation));

    /// <summary>Runs a program with an empty standard input.</summary>
    public async Task<SessionResult> RunAsync(IReadOnlyList<string> arguments, TimeSpan limit)
    {
        MemoryStream output = new();
        MemoryStream error = new();
        Errno Collect(int descriptor, ReadOnlySpan<byte> bytes)
        {
            (descriptor == HostTerminal.StandardOutput ? output : error).Write(bytes);
            return 0;
        }

        using KeeperClient client = await ConnectAsync();
        StartRequest request = new() { Arguments = arguments, Environment = [.. RunCommand.ProgramEnvironment([])] };
        using ProgramRun run = new(client, Collect, null);
        int status = await run.RunAsync(request, limit);
        return new SessionResult(status, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }

    /// <summary>All components' counters; may be called while a program runs.</summary>
    public async Task<StatisticsDocument> StatisticsAsync()
    {
        using KeeperClient client = await ConnectAsync();
        return await client.AllStatisticsAsync();
    }

    public ValueTask DisposeAsync() => _keeper.DisposeAsync();

    private async Task<KeeperClient> ConnectAsync() =>
        await KeeperClient.TryConnectAsync(_keeper.SocketPath) ?? throw ToolException.Rack("the rack's keeper does not answer");
}
