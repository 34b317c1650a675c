// Keeps one rack: boots its machines in parallel, watches them, speaks with their images and serves clients (./lego run, stats, ps, down)
// on a unix socket. A foreground `run` has its keeper inside its own process; `up` leaves one behind. When a machine ends unasked, the
// rack has failed: every client hears the sentence, and the keeper's owner takes the rest down. Not so when it was one of several
// processor or memory components and the manager says that the rack goes on: then the programs that depended on it end, each with a
// sentence to its own client. A manager's machine that `up` started is started anew: its sessions lose their clients.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>What a rack is made from, besides its description.</summary>
internal sealed record RackOrder(RackDescription Rack, IReadOnlyList<AddedFile> Added, string DirectoryName)
{
    /// <summary>How the machines execute code; null for the fastest that works here.</summary>
    public Accelerator? Accelerator { get; init; }

    /// <summary>A manager whose machine ends is started anew: not where the rack is there for one run, which ends with it.</summary>
    public bool RestartsManager { get; init; }
}

/// <summary>A running rack.</summary>
internal sealed class RackKeeper : IAsyncDisposable
{
    /// <summary>Why a rack cannot have a name.</summary>
    public const string AlreadyUp = "a rack is already up; `./lego down`, with its --name if it has one, takes it down, "
        + "or another --name brings one up beside it";

    /// <summary>
    /// From the machines' start until the manager has seen every member; far above the second it takes, on a host that has time for them.
    /// </summary>
    private static readonly TimeSpan s_bootLimit = TimeSpan.FromSeconds(45);
    /// <summary>How long a machine that is shutting down may move no byte.</summary>
    private static readonly TimeSpan s_shutdownLimit = TimeSpan.FromSeconds(10);

    /// <summary>A manager that ends more often than that has a reason that will not go away.</summary>
    private const int MostRestarts = 10;

    private static readonly TimeSpan s_filePoll = TimeSpan.FromMilliseconds(5);

    private readonly RackDirectory _directory;
    private readonly MachineStarter _starter = new();
    /// <summary>One a component; who looks through it keeps what it was then, a change makes another one.</summary>
    private volatile IReadOnlyList<Machine> _machines = [];
    private readonly TaskCompletionSource<string> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RingPlan? _rings;
    private VolumeLease? _volume;
    private KeeperServer? _server;
    private Task<Machine>? _startingAnew;
    private bool _restartsManager;
    private volatile bool _isEnding;

    private RackKeeper(RackDescription rack, RackDirectory directory)
    {
        Rack = rack;
        _directory = directory;
    }

    public RackDescription Rack { get; }

    public IReadOnlyList<Machine> Machines => _machines;

    public string SocketPath => _directory.SocketPath;

    /// <summary>Completes with a sentence when a machine ended unasked.</summary>
    public Task<string> Failed => _failed.Task;

    /// <summary>Completes when a client asked to take the rack down; the client is answered through <see cref="ConfirmDown"/>.</summary>
    public Task DownRequested => _server!.DownRequested;

    /// <summary>True when programs' changes to files stay.</summary>
    public bool HasPersistentVolume => _volume!.IsPersistent;

    /// <summary>Completes when there is a manager that serves; another task after each of its ends.</summary>
    public Task ManagerReady { get; private set; } = Task.CompletedTask;

    /// <summary>From the first machine's start until the manager was ready.</summary>
    public TimeSpan BootTime { get; private set; }

    public Accelerator Accelerator { get; private set; }

    /// <summary>Boots a rack. Everything is undone when it fails or is cancelled.</summary>
    public static async Task<RackKeeper> BootAsync(RackOrder order, Progress progress, CancellationToken cancellation)
    {
        RackDirectory.Sweep();
        RackDirectory directory = RackDirectory.TryCreate(order.DirectoryName)
            ?? throw ToolException.Usage(AlreadyUp);
        RackKeeper keeper = new(order.Rack, directory) { _restartsManager = order.RestartsManager };
        try
        {
            keeper._volume = await VolumeStore.LeaseAsync(order.Rack.VolumeComponent.Volume, order.Added, directory, progress);
            keeper.Accelerator = order.Accelerator ?? await AcceleratorProbe.ChooseAsync(keeper._starter);
            using IDisposable step = progress.Step("booting the rack");
            await keeper.StartMachinesAsync(cancellation);
            foreach (PublishedPort port in order.Rack.Network.Published)
            {
                await keeper.PublishAsync(port);
            }

            keeper._server = new KeeperServer(keeper, directory.SocketPath);
            return keeper;
        }
        catch
        {
            await keeper.DisposeAsync();
            throw;
        }
    }

    /// <summary>The machine with that component name, or null.</summary>
    public Machine? Find(string name) => _machines.FirstOrDefault(m => m.Component.Name == name);

    /// <summary>Flushes and ends the machines in the order in which their data flows; null, or what went wrong.</summary>
    public async Task<string?> ShutDownAsync(CancellationToken impatience = default)
    {
        _isEnding = true;
        string? trouble = null;
        foreach (Machine machine in _machines.Where(m => !m.IsLost).OrderBy(m => m.Component.Kind))
        {
            string? complaint = await machine.ShutDownAsync(s_shutdownLimit, impatience);
            trouble ??= complaint;
        }

        return trouble;
    }

    /// <summary>Makes a port of the programs reachable on this host.</summary>
    /// <exception cref="ToolException">The rack has no network, or the host's port cannot be had.</exception>
    public async Task PublishAsync(PublishedPort port)
    {
        if (Rack.Network.Kind == NetworkKind.None)
        {
            throw ToolException.Usage($"cannot publish {port}: the rack has no network");
        }

        string name = Rack.ProgramsComponent.Name;
        if (await PortPublisher.TryPublishAsync(Find(name)!.ProcessId, _directory.Monitor(name), port) is { } trouble)
        {
            throw ToolException.Host(trouble);
        }
    }

    public Task ConfirmDown(string? trouble) => _server!.ConfirmDownAsync(trouble);

    /// <summary>
    /// Kills what runs and removes the rack's files; the serial logs stay readable as those of the last rack. Clients lose their
    /// connections last: who waits for that finds the rack's name and its volume free.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        _isEnding = true;
        if (_server is not null)
        {
            await _server.StopListeningAsync();
        }

        if (_startingAnew is { } starting)
        {
            // Its machine is in the list then.
            await Task.WhenAny(starting);
        }

        foreach (Machine machine in _machines)
        {
            machine.Dispose();
        }

        _starter.Dispose();
        _rings?.Dispose();
        _volume?.Dispose();
        _directory.Dispose(_machines.Select(machine => machine.Component.Name));
        _server?.Dispose();
    }

    private async Task StartMachinesAsync(CancellationToken cancellation)
    {
        _rings = new RingPlan(Rack, _directory);
        if (Rack.Link == LinkKind.Ethernet)
        {
            await StartHelperAsync("switch", FrameSwitch.ArgumentsFor(Rack, _directory.Path), _directory.SwitchLog);
        }

        if (Rack.Network.Wire is { } faults)
        {
            await StartHelperAsync("wire", WireForwarder.ArgumentsFor(faults, Rack.LossSeed, _directory.Path), _directory.WireLog);
            await WaitForFileAsync(WireForwarder.LastSocket(_directory.Path), cancellation);
        }

        long start = Stopwatch.GetTimestamp();
        foreach (ComponentDescription component in Rack.Components)
        {
            await StartMachineAsync(component, 0);
        }

        _rings.CloseDescriptors();
        await WaitUntilReadyAsync(cancellation);
        BootTime = Stopwatch.GetElapsedTime(start);
        // Every machine has mapped its regions by now: the manager is ready when it has heard from all of them.
        _rings.UnlinkRegions();
    }

    private async Task<Machine> StartMachineAsync(ComponentDescription component, int restarts)
    {
        SocketPair pair = new();
        using (pair)
        {
            MachineResources resources = new()
            {
                ImagePath = HostPaths.Image(component.ImageName),
                FirmwarePath = Firmware.Path,
                Lost = [.. _machines.Where(m => m.IsLost).Select(m => m.Component.Node)],
                SerialLogPath = _directory.SerialLog(component.Name),
                MonitorPath = _directory.Monitor(component.Name),
                ControlDescriptor = pair.Second,
                VolumePath = component.HasVolume ? _volume!.ImagePath : null,
                Rings = _rings!.EndsOf(component),
                NetworkBackend = Rack.Link == LinkKind.Ethernet ? FrameSwitch.BackendOf(_directory.Path, component.Node) : null,
                Wire = Rack.Network.Wire is not null && component == Rack.ProgramsComponent
                    ? WireForwarder.Arguments(_directory.Path, CardArguments.ProgramsName)
                    : [],
                Accelerator = Accelerator,
            };
            List<string> arguments = QemuCommandLine.Build(Rack, component, resources);
            (string program, arguments) = OnCores(component, arguments);
            Process process = await _starter.StartAsync(program, arguments, _directory.QemuLog(component.Name));
            _directory.OwnProcess(process.Id);
            Machine machine = new(component, process, new ControlChannel(pair.TakeFirst()), _directory) { Restarts = restarts };
            _machines = restarts == 0 ? [.. _machines, machine] : [.. _machines.Select(m => m.Component == component ? machine : m)];
            _ = WatchAsync(machine, ServeAsync(machine));
            return machine;
        }
    }

    // taskset(1) is replaced by QEMU, which keeps its process id and its cores.
    private static (string Program, List<string> Arguments) OnCores(ComponentDescription component, List<string> arguments) =>
        component.HostCores.Count == 0 ? (QemuCommandLine.Program, arguments)
            : ("taskset", ["-c", string.Join(',', component.HostCores), QemuCommandLine.Program, .. arguments]);

    private async Task WaitUntilReadyAsync(CancellationToken cancellation)
    {
        Task allReady = Task.WhenAll(_machines.Select(m => m.Ready));
        await Task.WhenAny(allReady, Failed, Task.Delay(s_bootLimit, cancellation));
        if (!allReady.IsCompleted && !Failed.IsCompleted)
        {
            // Machines that get little of the cores need as much longer.
            await Task.WhenAny(allReady, Failed, Task.Delay(HostSpeed.Scale(s_bootLimit) - s_bootLimit, cancellation));
        }

        cancellation.ThrowIfCancellationRequested();
        if (!allReady.IsCompleted)
        {
            throw ToolException.Rack(Failed.IsCompleted ? await Failed : DescribeSilence());
        }
    }

    private string DescribeSilence()
    {
        Machine[] silent = [.. _machines.Where(m => !m.Ready.IsCompleted)];
        // The manager is silent as long as any other member is; name the cause, not the consequence.
        Machine culprit = silent.FirstOrDefault(m => m.Component != Rack.StartingComponent) ?? silent[0];
        string last = SerialLog.LastLine(SerialLog.Read(_directory.SerialLog(culprit.Component.Name))) ?? "none";
        return $"{culprit.Component.Title} was not ready {s_bootLimit.TotalSeconds:0} s after its start; its last line: {last}";
    }

    /// <summary>Why a processor component has taken its programs along.</summary>
    public string WhyLost(int node)
    {
        Machine machine = _machines.First(m => m.Component.Node == node);
        return machine.Ended.IsCompletedSuccessfully ? machine.Ended.Result : $"{machine.Component.Title} failed: no sign of life from it";
    }

    private async Task WatchAsync(Machine machine, Task serving)
    {
        string sentence = await machine.Ended;
        ComponentKind kind = machine.Component.Kind;
        bool hasServed = kind == ComponentKind.Manager && _server is not null && machine.Ready.IsCompleted;
        if (_restartsManager && hasServed && machine.Restarts < MostRestarts && !_isEnding)
        {
            // What it had said before counts.
            await serving;
            await StartAnewAsync(machine, sentence);
            return;
        }

        bool isOneOfSeveral = kind is ComponentKind.Processor or ComponentKind.Memory && _server is not null
            && _machines.Any(m => m.Component.Kind == kind && !m.Ended.IsCompleted);
        ControlFrame question = ControlFrame.WithNumber(ControlFrameType.MachineEnded, 0, (uint)machine.Component.Node);
        if (!isOneOfSeveral || _isEnding || !await _server!.SendToManagerAsync(question))
        {
            await FailAsync(sentence);
        }
    }

    /// <summary>Replaces the manager's machine, which has ended; its state is soft, and the other components bring it along.</summary>
    private async Task StartAnewAsync(Machine ended, string sentence)
    {
        TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagerReady = ready.Task;
        ended.IsLost = true;
        _server!.EndSessions(sentence);
        Console.Error.WriteLine($"lego: {sentence}; it is started anew");
        try
        {
            _startingAnew = StartMachineAsync(ended.Component, ended.Restarts + 1);
            Machine machine = await _startingAnew;
            ended.Dispose();
            if (_isEnding)
            {
                machine.Dispose();
            }

            await Task.WhenAny(machine.Ready, machine.Ended, Failed, Task.Delay(HostSpeed.Scale(s_bootLimit)));
            if (!machine.Ready.IsCompleted && !machine.Ended.IsCompleted)
            {
                await FailAsync(DescribeSilence());
            }
        }
        catch (Exception error)
        {
            // Whatever it was: without a manager the rack has failed.
            await FailAsync($"{sentence}, and cannot be started anew: {error.Message}");
        }

        ready.SetResult();
    }

    /// <summary>The manager's answer about a machine that has ended.</summary>
    private async Task JudgeAsync(int node, bool rackLives)
    {
        Machine machine = _machines.First(m => m.Component.Node == node);
        string sentence = await machine.Ended;
        if (!rackLives)
        {
            await FailAsync(sentence);
            return;
        }

        machine.IsLost = true;
        Console.Error.WriteLine($"lego: {sentence}; the rack goes on without it");
    }

    private async Task StartHelperAsync(string name, IReadOnlyList<string> arguments, string messagePath)
    {
        Process process = await _starter.StartAsync(HostPaths.Dotnet, [HostPaths.Tool, .. arguments], messagePath);
        _directory.OwnProcess(process.Id);
        _ = WatchHelperAsync(name, process, messagePath);
    }

    private async Task WatchHelperAsync(string name, Process process, string messagePath)
    {
        using (process)
        {
            await process.WaitForExitAsync();
        }

        if (!_isEnding)
        {
            string last = SerialLog.LastLine(SerialLog.Read(messagePath)) ?? "it left no message";
            await FailAsync($"the network {name} of the rack has ended: {last}");
        }
    }

    private async Task WaitForFileAsync(string path, CancellationToken cancellation)
    {
        while (!File.Exists(path) && !Failed.IsCompleted)
        {
            await Task.Delay(s_filePoll, cancellation);
        }
    }

    private async Task FailAsync(string sentence)
    {
        if (!_isEnding && _failed.TrySetResult(sentence) && _server is { } server)
        {
            server.BroadcastFailure(sentence);
        }
    }

    private async Task ServeAsync(Machine machine)
    {
        try
        {
            await machine.ServeAsync(Handle);
        }
        catch (InvalidDataException error)
        {
            await FailAsync($"{machine.Component.Title}: {error.Message}");
        }
    }

    private void Handle(ControlFrame frame)
    {
        if (frame.Type == ControlFrameType.RackLives)
        {
            _ = JudgeAsync((int)frame.Number(0), frame.Number(1) != 0);
        }
        else
        {
            _server?.HandleSessionFrame(frame);
        }
    }
}
