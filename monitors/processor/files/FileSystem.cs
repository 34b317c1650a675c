// Everything that the file part of one processor component keeps at run time: slabs for its kinds of objects, the frames that pipes and
// paths take, and one object for each kind of operation. Made once at boot; running out is ENOMEM or ENFILE for the program that asks.
//
// How code gets here: an open file knows the operations of its kind, and those know the file system; a table of descriptors and a pipe know
// it as well; everything else comes from a process (Of).

using System.Runtime.CompilerServices;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The file part of a processor component; to processes, what they have beside their memory.</summary>
public sealed unsafe class FileSystem : ProcessResources
{
    /// <summary>Most open files of the component (ENFILE beyond).</summary>
    private const ulong MaxOpenFiles = 65536;

    private const int TransferBufferCount = 12;

    private uint _lastPipeInode;
    private ulong _lastEpollSearch;
    private readonly Slab<ProcessFiles> _processFiles;
    private readonly DirectoryFile _directory;
    private readonly EpollFile _epoll;
    private readonly ProcessDescriptor _process;
    private readonly NullDevice _null;
    private readonly ZeroDevice _zero;
    private readonly FullDevice _full;
    private readonly RandomDevice _random;
    private readonly PseudoTextFile _pseudoText;
    private readonly PseudoDirectoryFile _pseudoDirectory;
    private readonly PathOnlyFile _pathOnly;
    private readonly PosixQueueFile _queue;
    private readonly SocketFile _socket;
    private readonly InotifyFile _inotify;
    private readonly RegularFile _regular;
    private readonly PipeEnd _pipeEnd;
    private readonly StandardStream _standardStream;

    /// <summary>Takes the memory and becomes what processes have; boot time, before the first process.</summary>
    public FileSystem(Processes processes, NetDevice? card = null)
    {
        FrameAllocator frames = processes.Frames;
        Self = new ObjectPointer<FileSystem>(this);
        Processes = processes;
        OpenFiles = new Slab<OpenFile>(frames, MaxOpenFiles);
        Tables = new Slab<FileTable>(frames);
        Pipes = new Slab<Pipe>(frames);
        EventCounters = new Slab<EventCounter>(frames);
        EpollSets = new Slab<EpollSet>(frames);
        EpollEntries = new Slab<EpollEntry>(frames, MaxOpenFiles);
        Paths = new Slab<PathRecord>(frames);
        _processFiles = new Slab<ProcessFiles>(frames);
        PathContexts = new Slab<PathContext>(frames);
        Locks = new LockTable(frames);
        if (!Locks.IsUsable)
        {
            Panic.Because("FileSystem: no memory for the lock table");
        }

        ZeroPage = (byte*)frames.AllocateCleared();
        if (ZeroPage == null)
        {
            Panic.Because("FileSystem: no memory for a page of zeros");
        }

        Nodes = new FileNodes(processes);
        Leases = new FileLeases(frames, Nodes);
        Nodes.Leases = Leases;
        SharedMemory = new SharedMemoryDirectory(this);
        Segments = new SharedSegments(this);
        Sessions = new TerminalSessions(this);
        Buffers = new TransferBuffers(frames, TransferBufferCount);
        Readiness = new Readiness();
        Facts = new SystemFacts(processes);
        _regular = new RegularFile(this);
        _directory = new DirectoryFile(this);
        _pipeEnd = new PipeEnd(this);
        _standardStream = new StandardStream(this);
        _null = new NullDevice(this);
        _zero = new ZeroDevice(this);
        _full = new FullDevice(this);
        _random = new RandomDevice(this);
        _pseudoText = new PseudoTextFile(this);
        _pseudoDirectory = new PseudoDirectoryFile(this);
        EventFiles = new EventFile(this);
        _epoll = new EpollFile(this);
        _process = new ProcessDescriptor(this);
        _pathOnly = new PathOnlyFile(this);
        _queue = new PosixQueueFile(this);
        Queues = new PosixQueues(this);
        Aio = new AioContexts(frames);
        _socket = new SocketFile(this);
        Timers = new TimerFile(this);
        SignalFiles = new SignalFile(this);
        Inotify = new Inotify(this);
        _inotify = new InotifyFile(this);
        Sockets = new Slab<Socket>(frames, MaxOpenFiles);
        Filters = new SocketFilters(frames);
        UnixNames = new Slab<UnixName>(frames);
        UnixMessages = new Slab<UnixMessage>(frames);
        UnixSockets = new UnixSockets(this);
        Network = new NetworkService(this, card == null ? new NoCard() : new CardSink(card));
        Card = card == null ? null : new ProgramsCard(Network, card);
        InternetSockets = new InternetSockets(this, Network);
        NetlinkSockets = new NetlinkSockets(this, Network);
        LinkSockets = new LinkSockets(this, Network);
        Mappings = new FileMappings(this);
        Kept = new KeptWrites(this);
        SharedWriter = new SharedWriter(this);
        PipeMemory = new PipeMemory(frames.FreePages);
        processes.Resources = this;
        processes.Backings.Owner = Mappings;
    }

    /// <summary>How unmanaged memory refers to this object.</summary>
    public ObjectPointer<FileSystem> Self { get; }

    public Processes Processes { get; }

    /// <summary>What /dev/zero gives to read; nobody writes to it.</summary>
    public byte* ZeroPage { get; }

    public FrameAllocator Frames => Processes.Frames;

    public RpcEndpoint Rpc => Processes.Rpc;

    public Slab<OpenFile> OpenFiles { get; }

    public Slab<FileTable> Tables { get; }

    public Slab<PathContext> PathContexts { get; }

    public Slab<Pipe> Pipes { get; }

    public PipeMemory PipeMemory { get; }

    public Slab<EventCounter> EventCounters { get; }

    /// <summary>Counters as files.</summary>
    public EventFile EventFiles { get; }

    public Slab<EpollSet> EpollSets { get; }

    public Slab<EpollEntry> EpollEntries { get; }

    /// <summary>Timers that are read.</summary>
    public TimerFile Timers { get; }

    /// <summary>Signals that are read.</summary>
    public SignalFile SignalFiles { get; }

    /// <summary>Who watches files.</summary>
    public Inotify Inotify { get; }

    public Slab<Socket> Sockets { get; }

    /// <summary>Which packets sockets do not want.</summary>
    public SocketFilters Filters { get; }

    public Slab<UnixName> UnixNames { get; }

    public Slab<UnixMessage> UnixMessages { get; }

    public UnixSockets UnixSockets { get; }

    /// <summary>The programs' network.</summary>
    public NetworkService Network { get; }

    /// <summary>Its card; null without one.</summary>
    public ProgramsCard? Card { get; }

    public InternetSockets InternetSockets { get; }

    public NetlinkSockets NetlinkSockets { get; }

    public LinkSockets LinkSockets { get; }

    /// <summary>Paths of system calls in progress.</summary>
    public Slab<PathRecord> Paths { get; }

    /// <summary>All locks on files.</summary>
    public LockTable Locks { get; }

    public FileNodes Nodes { get; }

    /// <summary>/dev/shm.</summary>
    public SharedMemoryDirectory SharedMemory { get; }

    /// <summary>Shared memory of System V.</summary>
    public SharedSegments Segments { get; }

    /// <summary>Message queues of POSIX.</summary>
    public PosixQueues Queues { get; }

    /// <summary>Contexts of asynchronous input and output.</summary>
    public AioContexts Aio { get; }

    /// <summary>What is remembered of names and attributes.</summary>
    public FileLeases Leases { get; }

    /// <summary>Nodes that are mapped.</summary>
    public FileMappings Mappings { get; }

    /// <summary>What has been written and is still here.</summary>
    public KeptWrites Kept { get; }

    public SharedWriter SharedWriter { get; }

    public TerminalSessions Sessions { get; }

    public TransferBuffers Buffers { get; }

    public Readiness Readiness { get; }

    public SystemFacts Facts { get; }

    /// <summary>The file system beside a component's processes.</summary>
    public static FileSystem Of(Processes processes) => Unsafe.As<FileSystem>(processes.Resources!);

    /// <summary>The file system of a process's component.</summary>
    public static FileSystem Of(Process* process) => Unsafe.As<FileSystem>(process->Table.Resources!);

    /// <summary>The operations of a kind of open file.</summary>
    public FileOperations OperationsOf(FileKind kind)
    {
        return kind switch
        {
            FileKind.Regular => _regular,
            FileKind.Directory => _directory,
            FileKind.Pipe => _pipeEnd,
            FileKind.StandardStream => _standardStream,
            FileKind.Null => _null,
            FileKind.Zero => _zero,
            FileKind.Full => _full,
            FileKind.Random => _random,
            FileKind.PseudoText => _pseudoText,
            FileKind.PseudoDirectory => _pseudoDirectory,
            FileKind.Event => EventFiles,
            FileKind.Epoll => _epoll,
            FileKind.Timer => Timers,
            FileKind.Signal => SignalFiles,
            FileKind.Inotify => _inotify,
            FileKind.Socket => _socket,
            FileKind.Process => _process,
            FileKind.PosixQueue => _queue,
            _ => _pathOnly,
        };
    }

    /// <summary>A number that distinguishes a new pipe in stat and /proc/PID/fd.</summary>
    internal uint NextPipeInode() => ++_lastPipeInode;

    /// <summary>The sockets of an address family; null: there are none here.</summary>
    public SocketFamily? FamilyOf(int domain) => domain switch
    {
        AddressFamily.Unix => UnixSockets,
        AddressFamily.Internet or AddressFamily.Internet6 => InternetSockets,
        AddressFamily.Netlink => NetlinkSockets,
        AddressFamily.Packet => LinkSockets,
        _ => null,
    };

    /// <summary>Names a search through epoll instances.</summary>
    internal ulong NextEpollSearch() => ++_lastEpollSearch;

    public override Errno Inherit(Process* parent, Process* child, CloneFlags flags)
    {
        FileTable* parents = FileTable.Of(parent);
        FileTable* table = (flags & CloneFlags.Files) != 0 ? FileTable.Share(parents) : FileTable.Fork(parents);
        if (table == null)
        {
            return Errno.ENOMEM;
        }

        PathContext* context = PathContext.Of(parent);
        bool sharesContext = (flags & CloneFlags.FileSystem) != 0;
        context->References += sharesContext ? 1u : 0;
        if (!Give(child, table, sharesContext ? context : PathContext.Copy(this, context)))
        {
            FileTable.Release(table);
            return Errno.ENOMEM;
        }

        return Errno.None;
    }

    /// <summary>
    /// Gives a new process its table and its context, whose references are taken over; false without memory or when there is no context:
    /// the table is still the caller's then.
    /// </summary>
    public bool Give(Process* process, FileTable* table, PathContext* context)
    {
        ProcessFiles* files = context == null ? null : _processFiles.Allocate();
        if (files == null)
        {
            if (context != null)
            {
                PathContext.Release(this, context);
            }

            return false;
        }

        files->Table = table;
        files->Context = context;
        process->Resources = files;
        return true;
    }

    public override Errno Unshare(Process* process, CloneFlags what)
    {
        ProcessFiles* files = (ProcessFiles*)process->Resources;
        FileTable* sharedTable = (what & CloneFlags.Files) != 0 && files->Table->IsShared ? files->Table : null;
        PathContext* sharedContext = (what & CloneFlags.FileSystem) != 0 && files->Context->References > 1 ? files->Context : null;
        PathContext* context = sharedContext == null ? null : PathContext.Copy(this, sharedContext);
        FileTable* table = sharedTable == null ? null : FileTable.Fork(sharedTable);
        if ((sharedContext != null && context == null) || (sharedTable != null && table == null))
        {
            if (context != null)
            {
                PathContext.Release(this, context);
            }

            if (table != null)
            {
                FileTable.Release(table);
            }

            return Errno.ENOMEM;
        }

        files->Table = table == null ? files->Table : table;
        files->Context = context == null ? files->Context : context;
        if (table != null)
        {
            FileTable.Release(sharedTable);
        }

        if (context != null)
        {
            PathContext.Release(this, sharedContext);
        }

        return Errno.None;
    }

    /// <summary>Makes descriptors of processes.</summary>
    public ProcessDescriptor ProcessDescriptors => _process;

    public override void EndsChanged(uint id) => _process.OnEnd(id);

    public override bool DumpCore(UserThread* thread, in SignalInfo info) => CoreDump.Write(thread, in info);

    public override void Replace(Process* process)
    {
        Aio.Leave(process);
        FileTable.Of(process)->CloseOnExec();
    }

    public override void OnSignal(int number) => SignalFiles.OnSignal(number);

    public override void Release(Process* process)
    {
        ProcessFiles* files = (ProcessFiles*)process->Resources;
        process->Resources = null;
        Aio.Leave(process);
        if (files != null)
        {
            FileTable.Release(files->Table);
            PathContext.Release(this, files->Context);
            _processFiles.Free(files);
        }
    }

    /// <summary>Adds the counters of this part.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("processor.files.open"u8, OpenFiles.InUse);
        writer.Add("processor.files.tables"u8, Tables.InUse);
        writer.Add("processor.files.nodes"u8, Nodes.Count);
        writer.Add("processor.files.nodes_kept"u8, Nodes.KeptCount);
        writer.Add("processor.files.objects"u8, Nodes.ObjectCount);
        writer.Add("processor.ipc.segments"u8, (ulong)Segments.Table.Count);
        writer.Add("processor.ipc.semaphore_sets"u8, (ulong)Processes.Semaphores.Table.Count);
        writer.Add("processor.ipc.message_queues"u8, (ulong)Processes.Messages.Table.Count);
        writer.Add("processor.ipc.posix_queues"u8, Queues.Count);
        writer.Add("processor.ipc.messages"u8, Processes.Messages.MessageCount);
        writer.Add("processor.files.shared_memory_names"u8, SharedMemory.Count);
        writer.Add("processor.files.pipes"u8, Pipes.InUse);
        writer.Add("processor.sockets.open"u8, Sockets.InUse);
        writer.Add("processor.sockets.unix_bytes"u8, UnixSockets.ChargedBytes);
        writer.Add("processor.files.sessions"u8, Sessions.Count);
        writer.Add("processor.filters"u8, Processes.Filters.Count);
        writer.Add("processor.aio.contexts"u8, Aio.Count);
        writer.Add("processor.aio.events"u8, Aio.EventCount);
        writer.Add("processor.files.locks"u8, Locks.Count);
        writer.Add("processor.files.watches"u8, Inotify.Count);
        Leases.Report(ref writer);
        Kept.Report(ref writer);
    }
}
