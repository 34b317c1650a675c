// All processes of a processor component: their memory (slabs), ids and family tree. Never blocks. Running out of memory is an error value.
// Process 1 is a name without a program: it is the parent of what the manager started and of orphans, ignores all signals, and its zombies
// disappear at once. Every component has one; all other ids are from the component's own share, so that none is given twice in a rack.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The process table; the root of what the processes of one component share.</summary>
public sealed unsafe class Processes
{
    /// <summary>Id of the process that every other one descends from.</summary>
    public const uint InitId = 1;

    /// <summary>
    /// Ids of one component (pid_max of a small Linux machine): node N has those from (N - 1) times this on. Linux's own limit, 2^22, has
    /// room for 128 nodes.
    /// </summary>
    public const uint IdsPerComponent = 32768;

    /// <summary>Most processes at a time; fork fails with EAGAIN beyond.</summary>
    public const ulong MaxProcesses = 4096;

    /// <summary>Most threads at a time, zombies' leaders among them; clone fails with EAGAIN beyond.</summary>
    public const ulong MaxThreads = 8192;

    /// <summary>
    /// Places that only root's processes may take, and those that only the manager's programs may: somebody must be able to end the others.
    /// </summary>
    private const ulong ReservedForRoot = 64;
    private const ulong ReservedForStarts = 16;

    /// <summary>Most signals with details that wait for delivery in the whole component.</summary>
    private const ulong MaxPendingSignals = 16384;

    private const int BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly ObjectPointer<Processes> _self;
    private readonly Slab<Process> _processes;
    private readonly Slab<SignalActions> _actions;
    private readonly Process** _buckets;
    private Process* _first;
    private Process* _last;
    private readonly Process* _init;
    private readonly uint _firstId;
    private uint _nextId = InitId;
    private ulong _created;

    /// <summary>An empty table; boot time.</summary>
    /// <param name="frames">Memory of the kernel region.</param>
    /// <param name="rpc">The way to the other components.</param>
    /// <param name="cache">Lines of the programs' memory.</param>
    /// <param name="manager">Node of the manager component.</param>
    public Processes(FrameAllocator frames, RpcEndpoint rpc, ExCache cache, ushort manager)
    {
        _self = new ObjectPointer<Processes>(this);
        _firstId = ((rpc.Node - 1u) * IdsPerComponent) + InitId + 1;
        Frames = frames;
        Rpc = rpc;
        Cache = cache;
        Manager = manager;
        _processes = new Slab<Process>(frames, MaxProcesses + 1);
        UserThreads = new ThreadTable(frames, MaxThreads + 1);
        _actions = new Slab<SignalActions>(frames);
        PendingSignals = new Slab<PendingSignal>(frames, MaxPendingSignals);
        Scratch = new ScratchBuffers(frames);
        Backings = new Backings(frames, cache);
        Spaces = new Spaces(frames, rpc, cache, Scratch, Backings);
        Random = new RandomBytes();
        VNodes = new VNodes(this);
        Semaphores = new SemaphoreSets(frames);
        Messages = new MessageQueues(frames);
        Timers = new TimerQueue(frames);
        Filters = new SystemCallFilters(frames);
        _buckets = (Process**)frames.AllocateCleared();
        _init = _buckets == null ? null : Create();
        if (_init == null)
        {
            Panic.Because("Processes: no memory");
        }

        _nextId = _firstId;
        UserThreads.Retire(_init->Leader);
        _init->State = ProcessState.Running;
        _init->Group = InitId;
        _init->SessionId = InitId;
        (*_init->Actions)[Signal.Child].Handler = SignalAction.Ignore;
        SetName(_init, "init"u8);
    }

    /// <summary>Memory of the kernel region; the ExCache's lines were taken out of it at boot.</summary>
    public FrameAllocator Frames { get; }

    public RpcEndpoint Rpc { get; }

    public ExCache Cache { get; }

    /// <summary>Ids of processes and threads are below this; then they start again.</summary>
    public uint IdLimit => _firstId - (InitId + 1) + IdsPerComponent;

    /// <summary>This component's node id.</summary>
    public ushort Node => Rpc.Node;

    /// <summary>Node of the manager component.</summary>
    public ushort Manager { get; }

    /// <summary>The processes' address spaces.</summary>
    public Spaces Spaces { get; }

    /// <summary>Files behind mappings and programs.</summary>
    public Backings Backings { get; }

    /// <summary>Buffers for large messages.</summary>
    public ScratchBuffers Scratch { get; }

    public RandomBytes Random { get; }

    /// <summary>What the vNodes may use here.</summary>
    public VNodes VNodes { get; }

    /// <summary>The threads of all processes.</summary>
    public ThreadTable UserThreads { get; }

    /// <summary>What the kernel threads of programs run.</summary>
    public ThreadStart Threads { get; } = new();

    /// <summary>Timers of processes.</summary>
    public TimerQueue Timers { get; }

    /// <summary>Threads that wait at addresses.</summary>
    public FutexTable Futexes { get; } = new();

    /// <summary>Semaphores and message queues of System V.</summary>
    public SemaphoreSets Semaphores { get; }

    public MessageQueues Messages { get; }

    /// <summary>Filters of system calls.</summary>
    public SystemCallFilters Filters { get; }

    /// <summary>What processes have beside their memory; set once, at boot, by the layer that keeps it.</summary>
    public ProcessResources? Resources { get; set; }

    /// <summary>Shares of the kernel's time for long copies.</summary>
    public CopyTurns Turns { get; } = new();

    /// <summary>Oldest process; follow Process.Next for the others.</summary>
    public Process* First => _first;

    /// <summary>Process 1.</summary>
    public Process* Init => _init;

    /// <summary>Processes that exist now, zombies included, process 1 not.</summary>
    public ulong Count => _processes.InUse - 1;

    /// <summary>Threads that exist now, zombies' leaders included, that of process 1 not.</summary>
    public ulong ThreadCount => UserThreads.Count - 1;

    /// <summary>Processes and threads ever created (the "processes" line of /proc/stat).</summary>
    public ulong Created => _created;

    /// <summary>Id of the process or thread created last (/proc/loadavg).</summary>
    public uint LastId => _nextId - 1;

    /// <summary>Memory for signals that wait for delivery.</summary>
    public Slab<PendingSignal> PendingSignals { get; }

    /// <summary>The lowest id from one on that a process can have.</summary>
    public uint NextId(uint from) => from <= InitId ? from : Math.Max(from, _firstId);

    /// <summary>The process with an id, zombies included; null when there is none.</summary>
    public Process* Find(uint id)
    {
        Process* process = _buckets[id % BucketCount];
        while (process != null && process->Id != id)
        {
            process = process->NextInBucket;
        }

        return process;
    }

    /// <summary>
    /// A new process (State Embryo) with one thread, default signal actions, a page for the program's path and a fresh id; null when memory
    /// or ids are exhausted. Not in any family yet.
    /// </summary>
    public Process* Create()
    {
        Process* process = _processes.Allocate();
        if (process == null)
        {
            return null;
        }

        process->Leader = UserThreads.Allocate();
        process->Actions = _actions.Allocate();
        process->Executable = (byte*)Frames.AllocateCleared();
        uint id = process->Leader == null || process->Actions == null || process->Executable == null ? 0 : NewId();
        if (id == 0)
        {
            FreeMemory(process);
            return null;
        }

        process->Actions->References = 1;
        process->Id = id;
        process->SetTable(_self);
        UserThreads.Add(process, process->Leader, id);
        process->ExitSignal = Signal.Child;
        process->Dumpable = 1;
        Capabilities.OnExecute(process);
        process->StartTimeNs = Clock.NowNs();
        process->NextInBucket = _buckets[id % BucketCount];
        _buckets[id % BucketCount] = process;
        process->Previous = _last;
        if (_last == null)
        {
            _first = process;
        }
        else
        {
            _last->Next = process;
        }

        _last = process;
        _created++;
        return process;
    }

    /// <summary>Another thread of a process, with a fresh id, that does not run yet; null when memory or ids are exhausted.</summary>
    public UserThread* CreateThread(Process* process)
    {
        UserThread* thread = UserThreads.Allocate();
        if (thread == null)
        {
            return null;
        }

        uint id = NewId();
        if (id == 0)
        {
            UserThreads.Discard(thread);
            return null;
        }

        UserThreads.Add(process, thread, id);
        _created++;
        return thread;
    }

    /// <summary>One user of a table of actions less.</summary>
    public void ReleaseActions(SignalActions* actions)
    {
        // A table that has never been used belongs to a process that could not be made.
        if (actions->References <= 1)
        {
            _actions.Free(actions);
        }
        else
        {
            actions->References--;
        }
    }

    /// <summary>A process stops sharing its actions; false when memory is exhausted.</summary>
    public bool UnshareActions(Process* process)
    {
        if (process->Actions->References == 1)
        {
            return true;
        }

        SignalActions* own = _actions.Allocate();
        if (own == null)
        {
            return false;
        }

        own->References = 1;
        own->CopyFrom(process->Actions);
        ReleaseActions(process->Actions);
        process->Actions = own;
        return true;
    }

    /// <summary>
    /// True when a process may have another child or thread: a vNode has a limit; RLIMIT_NPROC counts the threads of its user
    /// (setrlimit(2)), those in its vNode; and the last places are left for root, who may have to end the others.
    /// </summary>
    public bool MayFork(Process* parent)
    {
        if (!VNodes.MayHaveProcess(parent->VNode))
        {
            return false;
        }

        if (parent->UserId == 0)
        {
            return HasPlaceBeside(ReservedForStarts);
        }

        ulong owned = 0;
        for (Process* process = _first; process != null; process = process->Next)
        {
            owned += process->UserId == parent->UserId && process->VNode == parent->VNode ? Math.Max(1, process->ThreadCount) : 0;
        }

        return owned < parent->Limits[2 * ResourceLimit.Processes] && HasPlaceBeside(ReservedForRoot);
    }

    private bool HasPlaceBeside(ulong reserved) => Count < MaxProcesses - reserved && ThreadCount < MaxThreads - reserved;

    /// <summary>Removes a process that has ended, or never ran, and frees what is left of it.</summary>
    public void Remove(Process* process)
    {
        VNodes.OnRemoved(process);
        ProcessFamily.Disown(process);
        Process** link = &_buckets[process->Id % BucketCount];
        while (*link != process)
        {
            link = &(*link)->NextInBucket;
        }

        *link = process->NextInBucket;
        if (process->Previous == null)
        {
            _first = process->Next;
        }
        else
        {
            process->Previous->Next = process->Next;
        }

        if (process->Next == null)
        {
            _last = process->Previous;
        }
        else
        {
            process->Next->Previous = process->Previous;
        }

        FreeMemory(process);
    }

    /// <summary>True when an id is in use as a process, group or session.</summary>
    public bool IsGroupInSession(uint group, uint session)
    {
        for (Process* process = _first; process != null; process = process->Next)
        {
            if (process->Group == group && process->SessionId == session)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Sets the command name from a path: its last component, cut to 15 bytes.</summary>
    public static void SetName(Process* process, ReadOnlySpan<byte> path) => WriteName(path, process->Name);

    /// <summary>The command name of a path, with its terminator.</summary>
    public static void WriteName(ReadOnlySpan<byte> path, Span<byte> target)
    {
        int slash = path.LastIndexOf((byte)'/');
        ReadOnlySpan<byte> name = path.Slice(slash + 1);
        int length = Math.Min(name.Length, Process.NameBytes - 1);
        target.Clear();
        name.Slice(0, length).CopyTo(target);
    }

    /// <summary>The NUL-terminated text in a page such as Process.Executable.</summary>
    public static ReadOnlySpan<byte> TextOf(byte* page)
    {
        ReadOnlySpan<byte> all = new(page, PageOperations.PageSize);
        int end = all.IndexOf((byte)0);
        return end < 0 ? all : all.Slice(0, end);
    }

    /// <summary>Stores a text with its terminator in a page; false when it is too long.</summary>
    public static bool SetText(byte* page, ReadOnlySpan<byte> text)
    {
        if (text.Length >= PageOperations.PageSize)
        {
            return false;
        }

        text.CopyTo(new Span<byte>(page, PageOperations.PageSize));
        page[text.Length] = 0;
        return true;
    }

    private uint NewId()
    {
        for (uint tries = 0; tries < IdsPerComponent; tries++)
        {
            uint id = _nextId;
            _nextId = id + 1 == IdLimit ? _firstId : id + 1;
            if (IsFree(id))
            {
                return id;
            }
        }

        return 0;
    }

    private bool IsFree(uint id)
    {
        // Ids come round at most once in a long time: the walk is needed only then.
        if (_created < IdLimit - _firstId)
        {
            return true;
        }

        if (UserThreads.Find(id) != null)
        {
            return false;
        }

        for (Process* process = _first; process != null; process = process->Next)
        {
            if (process->Id == id || process->Group == id || process->SessionId == id)
            {
                return false;
            }
        }

        return true;
    }

    private void FreeMemory(Process* process)
    {
        if (process->FirstThread != null)
        {
            // It has never run.
            UserThreads.Retire(process->FirstThread);
        }

        if (process->Leader != null && process->Id != 0)
        {
            UserThreads.Free(process->Leader);
        }
        else if (process->Leader != null)
        {
            UserThreads.Discard(process->Leader);
        }

        if (process->Actions != null)
        {
            ReleaseActions(process->Actions);
        }

        if (process->Executable != null)
        {
            Frames.Free(process->Executable);
        }

        Signals.Clear(this, ref process->Pending);
        GroupSet.Release(Frames, process->ManyGroups);
        _processes.Free(process);
    }
}
