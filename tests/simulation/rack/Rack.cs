// A whole rack in one process: p, m, s and g of the images' own sources, each on a machine of its own, joined by simulated links. The
// driver, a thread on a machine of its own, plays the rack tool: it starts programs through the manager's control channel and hears how
// they end.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Boot;
using Lego.Common.Control;
using Lego.Common.Membership;
using Lego.Common.VNodes;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Manager;
using Lego.Memory;
using Lego.Processor;
using Lego.Storage;
using Lego.Storage.Ext4;

namespace Lego.Simulation;

/// <summary>What differs between racks.</summary>
internal sealed record RackOptions
{
    internal NetworkKind Network { get; init; } = NetworkKind.Ring;

    /// <summary>Processor and memory components besides the first ones.</summary>
    internal int MoreProcessors { get; init; }

    internal int MoreMemories { get; init; }

    /// <summary>Bytes of a vRegion.</summary>
    internal ulong RegionBytes { get; init; } = 1UL << 30;

    /// <summary>excache, ways, policy and so on, as on an image's boot line.</summary>
    internal string BootLine { get; init; } = "excache=256K ways=4 policy=lru";

    /// <summary>A rack of some kind.</summary>
    internal static RackOptions Any(Choices choices)
    {
        string[] sizes = ["128K", "256K", "1M"];
        string[] ways = ["1", "4", "16"];
        string[] policies = ["fifo", "lru", "clock", "random"];
        string[] piggybacks = ["on", "off"];
        int network = choices.Next(8);
        return new RackOptions
        {
            Network = network < 5 ? NetworkKind.Ring : network < 7 ? NetworkKind.Ethernet : NetworkKind.SmallFrames,
            BootLine = $"excache={sizes[choices.Next(sizes.Length)]} ways={ways[choices.Next(ways.Length)]} "
                + $"policy={policies[choices.Next(policies.Length)]} piggyback={piggybacks[choices.Next(piggybacks.Length)]}",
        };
    }
}

/// <summary>The machines and monitors of one run.</summary>
internal sealed unsafe class Rack : IDisposable
{
    private const ushort ProcessorNode = 1;
    private const ushort MemoryNode = 2;
    private const ushort StorageNode = 3;
    private const ushort ManagerNode = 4;
    private const int Workers = 2;
    private const uint CacheBlocks = 256;
    private static readonly string[] s_names = ["p", "m", "s", "g"];
    private const ulong Pages = 3072;

    private readonly List<SimLink> _links = [];
    private readonly bool _isOnly;
    private readonly ulong _regionBytes;
    private readonly ushort _firstMemory;
    private readonly RpcEndpoint[] _endpoints;
    private readonly List<ProcessorMonitor> _processors = [];
    private readonly List<MemoryMonitor> _memories = [];
    private readonly WaitQueue* _heard = (WaitQueue*)NativeMemory.AllocZeroed((nuint)sizeof(WaitQueue));
    private ushort _sessions;

    internal Rack(Simulation simulation, RackOptions options)
    {
        Simulation = simulation;
        Tool = simulation.AddMachine("tool", 16);
        // Nodes from 5 on: first the other processor components, then the other memory components.
        _isOnly = options.MoreProcessors == 0;
        _regionBytes = options.RegionBytes;
        ushort firstMemory = (ushort)(ManagerNode + 1 + options.MoreProcessors);
        ushort last = (ushort)(ManagerNode + options.MoreProcessors + options.MoreMemories);
        _firstMemory = firstMemory;
        _endpoints = new RpcEndpoint[last + 1];
        List<string> names = [.. s_names];
        for (int node = names.Count + 1; node <= last; node++)
        {
            names.Add((node < firstMemory ? "p" : "m") + node);
        }

        Machines = [.. names.Select(name => simulation.AddMachine(name, Pages))];
        simulation.BootLine = Encoding.ASCII.GetBytes(options.BootLine);
        Channel = new SimChannel(Machines[ManagerNode - 1], _heard);
        for (ushort node = ProcessorNode; node <= last; node++)
        {
            simulation.As(Machines[node - 1], () => _endpoints[node] = new RpcEndpoint(
                node, Machines[node - 1].Frames, Workers, new ComponentLife(new SimEntropy(Machines[node - 1])).NewIncarnation()));
        }

        for (ushort low = ProcessorNode; low <= last; low++)
        {
            for (ushort high = (ushort)(low + 1); high <= last; high++)
            {
                Join(low, high, options.Network);
            }
        }

        simulation.Boot(Machines[ManagerNode - 1], StartManager);
        simulation.Boot(Machines[ProcessorNode - 1], () => StartProcessor(ProcessorNode));
        simulation.Boot(Machines[MemoryNode - 1], () => StartMemory(MemoryNode));
        simulation.Boot(Machines[StorageNode - 1], StartStorage);
        for (ushort extra = ManagerNode + 1; extra <= last; extra++)
        {
            ushort node = extra;
            simulation.Boot(Machines[node - 1], node < firstMemory ? () => StartProcessor(node) : () => StartMemory(node));
        }
    }

    internal Simulation Simulation { get; }

    internal SimMachine Tool { get; }

    /// <summary>p, m, s, g, then other p, then other m.</summary>
    internal SimMachine[] Machines { get; }

    internal SimChannel Channel { get; private set; }

    internal StorageMonitor? Storage { get; private set; }

    internal ManagerMonitor? Manager { get; private set; }

    public void Dispose()
    {
        foreach (SimLink link in _links)
        {
            link.Dispose();
        }

        NativeMemory.Free(_heard);
    }

    /// <summary>Leaves a machine so many free frames, as programs of others would.</summary>
    internal void TakeFrames(int machine, ulong freePages)
    {
        while (Machines[machine].Frames.FreePages > freePages)
        {
            Machines[machine].Frames.Allocate();
        }
    }

    /// <summary>Cuts the cable between two machines, or mends it: frames that are under way arrive, no others do.</summary>
    internal void SetCut(int machine, int other, bool isCut)
    {
        foreach (SimLink link in _links)
        {
            if (link.Joins(Machines[machine], Machines[other]))
            {
                link.IsCut = isCut;
            }
        }
    }

    /// <summary>
    /// Driver only: the manager's machine ends, and another one begins in its place, with the links and what lies in them.
    /// </summary>
    internal void ReplaceManager()
    {
        SimMachine ended = Machines[ManagerNode - 1];
        ended.StoppedUntilNs = ulong.MaxValue;
        SimMachine machine = Simulation.AddMachine("g", Pages);
        Channel = new SimChannel(machine, _heard);
        RpcEndpoint endpoint = null!;
        Simulation.As(machine, () => endpoint = new RpcEndpoint(
            ManagerNode, machine.Frames, Workers, new ComponentLife(new SimEntropy(machine)).NewIncarnation()));
        _endpoints[ManagerNode] = endpoint;
        for (ushort node = ProcessorNode; node < _endpoints.Length; node++)
        {
            ushort peer = node;
            foreach (SimLink link in _links.FindAll(link => link.IsEndOf(ended, Machines[peer - 1])))
            {
                link.MoveTo(machine);
                Simulation.As(machine, () => endpoint.Attach(peer, link));
            }
        }

        Machines[ManagerNode - 1] = machine;
        Simulation.Boot(machine, StartManager);
        AwaitReady();
    }

    /// <summary>What holds between any two atomic pieces of kernel code.</summary>
    internal void CheckInvariants()
    {
        foreach (ProcessorMonitor processor in _processors)
        {
            processor.ExCache.CheckInvariants();
        }

        foreach (MemoryMonitor owner in _memories)
        {
            foreach (MemoryMonitor home in _memories)
            {
                owner.Spaces.CheckParts(home.Spaces);
            }
        }
    }

    /// <summary>The same of the file caches: too long to look at after each step.</summary>
    internal void CheckFileCaches()
    {
        foreach (MemoryMonitor memory in _memories)
        {
            memory.Files.CheckInvariants();
        }
    }

    /// <summary>The machine's memory component owns vRegions of a space whose home is another one.</summary>
    internal bool HasParts(int machine) => _memories.Exists(memory => memory.Spaces.IsOwner(machine + 1));

    /// <summary>Nodes of the memory components.</summary>
    internal IEnumerable<ushort> MemoryNodes =>
        Enumerable.Range(_firstMemory, _endpoints.Length - _firstMemory).Select(node => (ushort)node).Prepend(MemoryNode);

    /// <summary>All monitors' counters; a name comes once for each component that has it.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        foreach (ProcessorMonitor processor in _processors)
        {
            processor.Report(ref writer);
        }

        foreach (MemoryMonitor memory in _memories)
        {
            memory.Report(ref writer);
        }

        Storage!.Report(ref writer);
        Manager!.Control.Report(ref writer);
    }

    /// <summary>Driver only: waits until all components have joined.</summary>
    internal void AwaitReady()
    {
        Channel.Send(ControlFrameType.Hello, 0, 1, 0, 0, 0);
        Take(frame => frame.Type == ControlFrameType.HelloReply);
    }

    /// <summary>Driver only: starts the stand-in program of a number; gives its session.</summary>
    internal ushort Start(int program, params string[] arguments)
    {
        ushort session = ++_sessions;
        Channel.Start(session, 0, 0, ["/bin/" + StandInElf.NameOf(program), .. arguments]);
        return session;
    }

    /// <summary>Driver only: the same on a processor component.</summary>
    internal ushort StartOn(ushort node, int program)
    {
        ushort session = ++_sessions;
        Channel.Start(session, 0, node, "/bin/" + StandInElf.NameOf(program));
        return session;
    }

    /// <summary>Driver only: the same with StartFlags that say which streams are terminals.</summary>
    internal ushort StartOnTerminal(int program, uint flags)
    {
        ushort session = ++_sessions;
        Channel.Start(session, flags, 0, "/bin/" + StandInElf.NameOf(program));
        return session;
    }

    /// <summary>Driver only: makes a vNode with the tree of its name (VolumeTemplate); gives its number.</summary>
    internal ushort CreateVNode(string name)
    {
        (Errno error, string text) = AskOfVNodes($"create {name} 0 0 {VolumeTemplate.RootOf(name)}");
        Check.Equal(Errno.None, error, "making a vNode");
        return ushort.Parse(text, CultureInfo.InvariantCulture);
    }

    /// <summary>Driver only: a command about vNodes (VNodeControl).</summary>
    internal (Errno Error, string Text) AskOfVNodes(string words)
    {
        ushort session = ++_sessions;
        Channel.Send(ControlFrameType.VNode, session, Encoding.ASCII.GetBytes(words));
        HeardFrame reply = Take(frame => frame.Session == session && frame.Type == ControlFrameType.VNodeReply);
        return ((Errno)reply.Number(0), Encoding.ASCII.GetString(reply.Payload.AsSpan(sizeof(uint))).TrimEnd());
    }

    /// <summary>Driver only: starts the stand-in program of a number in a vNode; gives its session.</summary>
    internal ushort StartIn(ushort vnode, int program)
    {
        ushort session = ++_sessions;
        Channel.StartIn(vnode, session, 0, 0, "/bin/" + StandInElf.NameOf(program));
        return session;
    }

    /// <summary>Requests that components have refused because they came from one that may not speak for their vNode.</summary>
    internal ulong VNodeViolations
    {
        get
        {
            ulong sum = 0;
            for (int node = 1; node < _endpoints.Length; node++)
            {
                sum += _endpoints[node].VNodes.Violations;
            }

            return sum;
        }
    }

    /// <summary>
    /// In a program: as <see cref="ReadAtStorage"/> by a processor component that claims to speak for a vNode, of a memory component
    /// and of the storage component. BLOCKS.
    /// </summary>
    internal (Errno AtMemory, Errno AtStorage) ReadFor(ushort vnode, string path)
    {
        byte[] name = Encoding.ASCII.GetBytes(path);
        Span<byte> bytes = stackalloc byte[16];
        FileRequest request = new() { Length = (uint)bytes.Length, Storage = StorageNode, PathLength = (ushort)name.Length };
        RpcContext context = new() { VNode = vnode };
        RpcEndpoint endpoint = _endpoints[ProcessorNode];
        Errno atMemory = endpoint.Call(MemoryNode, Opcode.FileRead, in context, in request, name, bytes, out _);
        return (atMemory, endpoint.Call(StorageNode, Opcode.StorageRead, in context, in request, name, bytes, out _));
    }

    /// <summary>In a program: asks the storage component for bytes of a file, past the memory component's cache. BLOCKS.</summary>
    internal Errno ReadAtStorage(string path, ulong offset, Span<byte> bytes)
    {
        byte[] name = Encoding.ASCII.GetBytes(path);
        FileRequest request = new()
        {
            Offset = offset,
            Length = (uint)bytes.Length,
            Storage = StorageNode,
            PathLength = (ushort)name.Length,
        };
        RpcContext context = default;
        return _endpoints[ProcessorNode].Call(StorageNode, Opcode.StorageRead, in context, in request, name, bytes, out _);
    }

    /// <summary>Driver only: waits until a session's program has started and gives its process id. An error is thrown.</summary>
    internal uint AwaitStart(ushort session)
    {
        HeardFrame started = Take(frame => frame.Session == session && frame.Type == ControlFrameType.Started);
        if (started.Number(0) != 0)
        {
            throw new CheckFailed($"session {session} does not start: errno {started.Number(0)}");
        }

        return started.Number(1);
    }

    /// <summary>Driver only: waits for the end of a started session's program and gives its wait status.</summary>
    internal uint AwaitEnd(ushort session) => Take(frame => frame.Session == session && frame.Type == ControlFrameType.Exited).Number(0);

    /// <summary>Driver only: waits for start and end.</summary>
    internal uint AwaitExit(ushort session)
    {
        AwaitStart(session);
        return AwaitEnd(session);
    }

    /// <summary>Driver only: waits so long for the end of a started session's program; null: it has not ended.</summary>
    internal uint? TryAwaitEnd(ushort session, ulong nanoseconds) =>
        TryTake(frame => frame.Session == session && frame.Type == ControlFrameType.Exited, Simulation.NowNs + nanoseconds)?.Number(0);

    /// <summary>Driver only: waits for a frame and forgets it.</summary>
    internal HeardFrame Take(Predicate<HeardFrame> wanted) => TryTake(wanted, ulong.MaxValue)!;

    private HeardFrame? TryTake(Predicate<HeardFrame> wanted, ulong deadlineNs)
    {
        while (true)
        {
            int index = Channel.Heard.FindIndex(wanted);
            if (index >= 0)
            {
                HeardFrame frame = Channel.Heard[index];
                Channel.Heard.RemoveAt(index);
                return frame;
            }

            if (!_heard->WaitUntil(deadlineNs))
            {
                return null;
            }
        }
    }

    private void Join(ushort low, ushort high, NetworkKind kind)
    {
        (SimLink a, SimLink b) = SimLink.Join(Machines[low - 1], Machines[high - 1], kind);
        _links.Add(a);
        _links.Add(b);
        Simulation.As(Machines[low - 1], () => _endpoints[low].Attach(high, a));
        Simulation.As(Machines[high - 1], () => _endpoints[high].Attach(low, b));
    }

    private void StartManager()
    {
        SimMachine machine = Machines[ManagerNode - 1];
        ControlTransmitter transmitter = new(Channel, machine.Frames);
        ControlServer control = new(Channel, transmitter, machine.Frames, "manager"u8, "g0"u8, &Leave);
        ManagerOptions options = ManagerOptions.FromBootLine();
        Manager = new ManagerMonitor(_endpoints[ManagerNode], transmitter, machine.Frames, in options);
        for (ushort node = 1; node < _endpoints.Length; node++)
        {
            if (node != ManagerNode)
            {
                bool isMemory = node == MemoryNode || node >= _firstMemory;
                ComponentKind kind = node == StorageNode ? ComponentKind.Storage
                    : isMemory ? ComponentKind.Memory : ComponentKind.Processor;
                Manager.Expect(kind, node);
            }
        }

        control.Add(Manager.Control);
        control.Add(Manager);
        Poller.Register(_endpoints[ManagerNode]);
        Poller.Register(control);
        Manager.Start();
    }

    private void StartProcessor(ushort node)
    {
        SimMachine machine = Machines[node - 1];
        ProcessorMonitor monitor = new(_endpoints[node], machine.Frames, ManagerNode, new SimEntropy(machine));
        _processors.Add(monitor);
        monitor.StartThreads(isOnly: _isOnly);
        JoinRack(
            machine, ComponentKind.Processor, node, new ProcessorLoad(monitor), new ProcessorLife(new SimEntropy(machine), monitor),
            new ProcessorWatcher(monitor));
    }

    private void StartMemory(ushort node)
    {
        SimMachine machine = Machines[node - 1];
        MemoryMonitor monitor = new(_endpoints[node], machine.Frames, ManagerNode, _regionBytes);
        _memories.Add(monitor);
        monitor.StartThreads();
        JoinRack(
            machine, ComponentKind.Memory, node, new MemoryLoad(monitor), new MemoryLife(new SimEntropy(machine), monitor),
            new MemoryWatcher(monitor));
    }

    private void StartStorage()
    {
        SimMachine machine = Machines[StorageNode - 1];
        Errno error = Volume.Mount(new SimDisk(machine, VolumeTemplate.Image), machine.Frames, CacheBlocks, out Volume? volume);
        if (error != Errno.None)
        {
            throw new CheckFailed($"the volume cannot be mounted: {error}");
        }

        Storage = new StorageMonitor(volume!, machine.Frames, _endpoints[StorageNode]);
        _endpoints[StorageNode].Register(StorageMonitor.OpcodeGroup, Storage);
        VNodeService.Register(_endpoints[StorageNode], ManagerNode, new Lego.Storage.VNodeRequests(Storage));
        Storage.StartWriteBack();
        JoinRack(
            machine, ComponentKind.Storage, StorageNode, new StorageLoad(volume!), new ComponentLife(new SimEntropy(machine)),
            new StorageWatcher(Storage));
    }

    private void JoinRack(
        SimMachine machine, ComponentKind kind, ushort node, LoadSource load, ComponentLife life, PeerWatcher? watcher = null)
    {
        Poller.Register(_endpoints[node]);
        JoinRequest self = new()
        {
            Node = node,
            Kind = kind,
            CapacityBytes = machine.Frames.TotalPages * PageOperations.PageSize,
        };
        if (watcher is not null)
        {
            _endpoints[node].Watch(watcher);
        }

        new MembershipClient(_endpoints[node], ManagerNode, in self, load, life).Start();
    }

    /// <summary>A control server's last act; the driver ends the run.</summary>
    private static void Leave(Errno error) => Scheduler.Exit();
}
