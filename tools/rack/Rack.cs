// A running rack, as a script, a test or a command of the tool sees it: boots one (or finds the one that `./lego up` left running), runs
// programs on it, reads its counters and logs; Rack.Faults.cs has what can be done to its components. docs/scripting.md shows all of it by
// example. Every member may be called from any task, and while programs run.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>A running rack. One that was booted here goes when it is disposed; one that was found stays up.</summary>
public sealed partial class Rack : IAsyncDisposable
{
    private static int s_lastNumber;

    private readonly RackKeeper? _keeper;
    private readonly string _directory;

    private Rack(string directory, RackKeeper? keeper)
    {
        _directory = directory;
        _keeper = keeper;
    }

    /// <summary>From the first machine's start until the manager had heard from all; zero for a rack that was found.</summary>
    public TimeSpan BootTime => _keeper?.BootTime ?? TimeSpan.Zero;

    /// <summary>Boots a rack; it is ready for programs when this returns.</summary>
    /// <param name="description">Its components, for example <see cref="RackFile.Load"/>'s; the default rack without one.</param>
    /// <param name="added">Files of this host that its throw-away volume gets.</param>
    /// <param name="cancellation">Ends what has been booted so far.</param>
    /// <exception cref="ToolException">The description is wrong, the host lacks something, or a component did not come up.</exception>
    public static Task<Rack> BootAsync(
        RackDescription? description = null, IEnumerable<AddedFile>? added = null, CancellationToken cancellation = default)
    {
        description ??= RackDescription.Default;
        description.Check();
        HostMemory.Check(description);
        HostPaths.AddSystemDirectories();
        string name = $"own-{Environment.ProcessId}-{Interlocked.Increment(ref s_lastNumber)}";
        return BootAsync(new RackOrder(description, [.. added ?? []], name), new Progress(ProgressStyle.Open), cancellation);
    }

    /// <summary>Finds the rack that `./lego up` left running, or `./lego up --name NAME`.</summary>
    /// <exception cref="ToolException">None is up.</exception>
    public static async Task<Rack> FindUpAsync(string? name = null)
    {
        RackDirectory.Sweep();
        using KeeperClient client = await KeeperClient.TryConnectToUpAsync(name)
            ?? throw ToolException.Usage(name is null ? "no rack is up; `./lego up` boots one" : $"no rack {name} is up");
        return new Rack(Path.Combine(HostPaths.Racks, RackDirectory.UpNameOf(name)), null);
    }

    /// <summary>Boots what a command of the tool ordered.</summary>
    internal static async Task<Rack> BootAsync(RackOrder order, Progress progress, CancellationToken cancellation)
    {
        RackKeeper keeper = await RackKeeper.BootAsync(order, progress, cancellation);
        return new Rack(Path.GetDirectoryName(keeper.SocketPath)!, keeper);
    }

    /// <summary>How the machines of a rack that was booted here execute code; null for one that was found.</summary>
    public Accelerator? Accelerator => _keeper?.Accelerator;

    /// <summary>The components, in the order of their nodes.</summary>
    public async Task<IReadOnlyList<ComponentLine>> ComponentsAsync()
    {
        using KeeperClient client = await ConnectAsync();
        return await client.DescribeAsync();
    }

    /// <summary>Runs a program with an empty standard input to its end, and collects what it prints.</summary>
    /// <param name="words">The program and its arguments: "sh", "-c", "ls /".</param>
    /// <exception cref="ToolException">It could not be started, or the rack failed; the sentence says which component.</exception>
    public Task<ProgramResult> RunAsync(params string[] words) => RunAsync(new ProgramOptions(), words);

    /// <summary>The same with options.</summary>
    public async Task<ProgramResult> RunAsync(ProgramOptions options, params string[] words)
    {
        await using RackProgram program = await StartAsync(options, words);
        return await program.Result;
    }

    /// <summary>Starts a program and returns; its output, its end and signals to it are the result's.</summary>
    public Task<RackProgram> StartAsync(params string[] words) => StartAsync(new ProgramOptions(), words);

    /// <summary>The same with options.</summary>
    public async Task<RackProgram> StartAsync(ProgramOptions options, params string[] words) =>
        new(await ConnectAsync(), options, words);

    /// <summary>The counters of all components.</summary>
    public async Task<StatisticsDocument> StatisticsAsync()
    {
        using KeeperClient client = await ConnectAsync();
        return await client.AllStatisticsAsync();
    }

    /// <summary>What a component has written on its serial port: lines `[seconds.micros] name level: text`.</summary>
    public string LogOf(string component) => SerialLog.Read(Path.Combine(_directory, $"{component}.log"));

    /// <summary>Makes a port of the programs reachable on this host: [ADDRESS:]HOSTPORT:PORT[/udp].</summary>
    public async Task PublishAsync(string port)
    {
        using KeeperClient client = await ConnectAsync();
        string trouble = await client.PublishAsync(PublishedPort.Parse(port, "publish"));
        if (trouble.Length > 0)
        {
            throw ToolException.Host(trouble);
        }
    }

    /// <summary>
    /// Waits until the rack fails (a machine has ended unasked, or the manager has given a component up); the sentence about it.
    /// </summary>
    public async Task<string> WaitForFailureAsync(CancellationToken cancellation = default)
    {
        using KeeperClient client = await ConnectAsync();
        using CancellationTokenRegistration leave = cancellation.Register(client.Dispose);
        while (await client.ReadAsync() is { } frame)
        {
            if (frame.Type == ControlFrameType.MemberFailed)
            {
                return frame.Text();
            }
        }

        cancellation.ThrowIfCancellationRequested();
        throw ToolException.Rack("the rack's keeper has ended");
    }

    /// <summary>Writes back what the file caches hold and ends the machines in good order, as a volume that stays needs.</summary>
    /// <exception cref="ToolException">Something was lost.</exception>
    public async Task ShutDownAsync()
    {
        string? trouble = _keeper is { } keeper ? await keeper.ShutDownAsync() : await DownAsync();
        if (!string.IsNullOrEmpty(trouble))
        {
            throw ToolException.Rack(trouble);
        }
    }

    /// <summary>Ends the machines of a rack that was booted here at once, and removes its files.</summary>
    public ValueTask DisposeAsync() => _keeper?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async Task<string> DownAsync()
    {
        using KeeperClient client = await ConnectAsync();
        return await client.DownAsync();
    }

    private async Task<ComponentLine> FindAsync(string name)
    {
        IReadOnlyList<ComponentLine> components = await ComponentsAsync();
        ComponentLine found = components.FirstOrDefault(component => component.Name == name)
            ?? throw ToolException.Usage($"there is no {name}; the components are {string.Join(", ", components.Select(c => c.Name))}");
        // Its process id may be somebody else's by now.
        return found.State == ComponentLine.Ended ? throw ToolException.Rack($"{found.Title} has ended") : found;
    }

    private async Task<KeeperClient> ConnectAsync() =>
        await KeeperClient.TryConnectAsync(Path.Combine(_directory, RackDirectory.SocketName))
        ?? throw ToolException.Rack("the rack's keeper does not answer");
}
