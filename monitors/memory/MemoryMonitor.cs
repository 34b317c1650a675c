// The memory monitor: everything that a memory component does. It is the home of processes (address spaces, program loading), it holds
// their pages, and it caches files (LegoOS, OSDI'18, section 4.3). It speaks to processor components (groups 1 to 3), storage components
// (the file cache) and the manager (owners of vRegions), by messages only. An image constructs it at boot, registers nothing else, and
// calls StartThreads once threads run; a host test may leave that out.

using Lego.Common.Leases;
using Lego.Common.VNodes;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Wires the parts of a memory component together.</summary>
public sealed unsafe class MemoryMonitor
{
    private const byte LineGroup = 1;
    private const byte SpaceGroup = 2;
    private const byte FileGroup = 3;
    /// <summary>Racks take 2 MB and more (the tool); simulated ones want several owners of a few pages.</summary>
    private const ulong LeastRegionBytes = PageOperations.PageSize;
    private const ulong MostRegionBytes = 1UL << 40;
    private const ulong WriteBackIntervalNs = 1_000_000_000;

    private readonly FramePool _pool;
    private readonly FrameMap _frames;
    private readonly FileCache _files;
    private readonly AddressSpaces _spaces;
    private readonly ProgramLoader _loader;
    private readonly ManagerBroker _broker;
    private readonly PageSender _pages;
    private readonly RegionOwners _owners;
    private readonly RegionMoves _moves;
    private readonly LineService _lines;
    private readonly SpaceService _spaceRequests;
    private readonly FileService _fileRequests;

    /// <summary>Takes its tables from <paramref name="frames"/> and serves from now on. <paramref name="manager"/> 0 = no manager, every
    /// vRegion is this component's. <paramref name="regionBytes"/> is a power of two from a page to 1 TB (boot argument
    /// "region").</summary>
    public MemoryMonitor(RpcEndpoint rpc, FrameAllocator frames, ushort manager, ulong regionBytes)
    {
        if ((regionBytes & (regionBytes - 1)) != 0 || regionBytes < LeastRegionBytes || regionBytes > MostRegionBytes)
        {
            Panic.Because("MemoryMonitor: the boot argument region must be a power of two from 4K to 1024G");
        }

        _pool = new FramePool(frames);
        _frames = new FrameMap(frames, _pool);
        _files = new FileCache(frames, _pool, new RemoteFileStore(rpc), new LeaseHolders(rpc, frames));
        _spaces = new AddressSpaces(frames, _pool, _frames, _files, regionBytes, rpc.Node);
        _broker = new ManagerBroker(rpc, _pool, manager, regionBytes);
        DrainedOwners drained = new();
        _pages = new PageSender(rpc, frames, _spaces, _frames);
        _owners = new RegionOwners(rpc, _spaces, _frames, _pages, _broker, drained);
        _moves = new RegionMoves(rpc, _spaces, _files, _broker, drained, _owners);
        _loader = new ProgramLoader(_spaces, _frames, _files);
        _lines = new LineService(_spaces, _frames, _files);
        MoveRequests moveRequests = new(_spaces, _pages, _moves, manager);
        _spaceRequests = new SpaceService(frames, _spaces, _files, _loader, _owners, _moves, moveRequests);
        _fileRequests = new FileService(frames, _files, _spaces);
        rpc.Register(LineGroup, _lines);
        rpc.Register(SpaceGroup, _spaceRequests);
        rpc.Register(FileGroup, _fileRequests);
        VNodeService.Register(rpc, manager, new VNodeRequests(_files, _spaces));
    }

    /// <summary>Its address spaces, for those who check them.</summary>
    internal AddressSpaces Spaces => _spaces;

    /// <summary>The file cache; for tests.</summary>
    internal FileCache Files => _files;

    /// <summary>Default of the boot argument "region".</summary>
    public const ulong DefaultRegionBytes = 1UL << 30;

    /// <summary>Bytes that programs could still get: frames that are free or hold clean pages of files.</summary>
    public ulong FreeBytes => (_pool.FreeFrames + _files.PageCount - _files.DirtyPages) * PageOperations.PageSize;

    /// <summary>What this component is to the rack, besides an owner of vRegions.</summary>
    public MemberRoles Roles =>
        (_files.FileCount != 0 ? MemberRoles.CachesFiles : 0) | (_spaces.HomeCount != 0 ? MemberRoles.IsHome : 0);

    /// <summary>Starts the write-back thread and the reaper.</summary>
    public void StartThreads()
    {
        if (Scheduler.Spawn(new WriteBack(_files), null, "write-back"u8) == null
            || Scheduler.Spawn(new Reaper(_frames), null, "reaper"u8) == null
            || Scheduler.Spawn(new FileReaper(_files), null, "file-reaper"u8) == null
            || Scheduler.Spawn(_moves, null, "moves"u8) == null)
        {
            Panic.Because("MemoryMonitor.StartThreads: no memory for the threads");
        }
    }

    /// <summary>Orderly shutdown: all written bytes reach the storage components' devices. Blocks; the first error.</summary>
    public Errno Flush() => _files.WriteBackAll();

    /// <summary>
    /// A component's life has ended: so have the address spaces and memory objects of a processor component, and the parts of a home's
    /// spaces. Does not block; the reaper gives their memory back.
    /// </summary>
    public void Departed(ushort node)
    {
        _spaces.DestroyAllOf(node);
        _moves.Departed(node);
        _files.ForgetObjectsOf(node);
    }

    /// <summary>The rack takes this component for dead: it ends all address spaces. Files stay, dirty or not.</summary>
    public void EndSpaces() => Departed(AddressSpaces.EveryProcessor);

    /// <summary>After <see cref="Flush"/>: bytes of files that are lost with this component, or were given up before and nobody has heard
    /// of it. Whole pages are counted.</summary>
    public ulong UnwrittenBytes => _files.CountUnwrittenBytes();

    /// <summary>All counters of this component.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        _pool.Report(ref writer);
        _files.Report(ref writer);
        _spaces.Report(ref writer);
        _frames.Report(ref writer);
        _loader.Report(ref writer);
        _broker.Report(ref writer);
        _pages.Report(ref writer);
        _owners.Report(ref writer);
        _moves.Report(ref writer);
        _lines.Report(ref writer);
        _spaceRequests.Report(ref writer);
        _fileRequests.Report(ref writer);
    }

    private sealed unsafe class Reaper(FrameMap frames) : ThreadBody
    {
        public override void Run(void* argument) => frames.ReapForever();
    }

    private sealed unsafe class FileReaper(FileCache files) : ThreadBody
    {
        public override void Run(void* argument) => files.ReapForever();
    }

    private sealed unsafe class WriteBack(FileCache files) : ThreadBody
    {
        public override void Run(void* argument)
        {
            while (true)
            {
                Scheduler.Sleep(WriteBackIntervalNs);
                files.WriteBackInBackground();
            }
        }
    }
}
