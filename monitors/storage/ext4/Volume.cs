// A mounted ext4 volume: its geometry, its parts and its totals. Volumes are made by `mke2fs -t ext4 -d` and judged by e2fsck. The
// journal is left alone: changes are written straight to their place, so a volume must be clean when it is mounted, and is marked unclean
// on the device from the first change until everything is written again (Sync). Not thread-safe: one thread at a time may use a volume
// (StorageMonitor has a lock), across calls that BLOCK on the device too.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>One file system on one block device.</summary>
public sealed unsafe class Volume
{
    /// <summary>Fewest cached blocks with which every operation can pin what it needs.</summary>
    public const uint MinCacheBlocks = 64;

    private readonly Geometry _geometry;
    private CachedBlock* _superblock;
    /// <summary>The unclean mark is on the device.</summary>
    private bool _changed;
    /// <summary>Something may not be on the device yet; false with _changed while only orphans keep the volume unclean.</summary>
    private bool _unwritten;
    /// <summary>Something may not be on stable storage yet, although it may be written.</summary>
    private bool _unflushed = true;
    /// <summary>It was not let go cleanly before it was mounted: nobody has looked what is damaged.</summary>
    private bool _wasUnclean;
    private ulong _timeNs;

    private Volume(BlockDevice device, FrameAllocator frames, in Geometry geometry, bool readOnly, uint cacheBlocks)
    {
        _geometry = geometry;
        Device = device;
        ReadOnly = readOnly;
        Cache = new BlockCache(device, frames, geometry.BlockBytes, geometry.BlockCount, Math.Max(cacheBlocks, MinCacheBlocks));
        Groups = new GroupTable(this);
        Blocks = new BlockAllocator(this);
        InodeNumbers = new InodeAllocator(this);
        Inodes = new InodeTable(this);
        Extents = new ExtentTree(this);
        Directories = new Directories(this, frames);
        Attributes = new ExtendedAttributes(this, frames);
        Contents = new FileContents(this, frames);
        Files = new Files(this);
        Names = new Names(this);
        Held = new HeldFiles(frames);
        Views = new VNodeViews(frames);
        Orphans = new OrphanList(this);
    }

    public BlockDevice Device { get; }

    public bool ReadOnly { get; }

    public ref readonly Geometry Geometry => ref _geometry;

    public BlockCache Cache { get; }

    public GroupTable Groups { get; }

    public BlockAllocator Blocks { get; }

    public InodeAllocator InodeNumbers { get; }

    public InodeTable Inodes { get; }

    public ExtentTree Extents { get; }

    public Directories Directories { get; }

    public ExtendedAttributes Attributes { get; }

    public FileContents Contents { get; }

    public Files Files { get; }

    public Names Names { get; }

    public HeldFiles Held { get; }

    /// <summary>What each vNode sees of it.</summary>
    public VNodeViews Views { get; }

    public OrphanList Orphans { get; }

    /// <summary>The time of the change under way, nanoseconds since the epoch: its caller's clock, which the programs read too, so that no
    /// time of a file lies in their future. One clock for all that a component changes; 0 makes it this component's own.</summary>
    public ulong TimeNs
    {
        get => _timeNs != 0 ? _timeNs : Clock.UnixTimeNs();
        set => _timeNs = value;
    }

    /// <summary>Blocks that no file has; kept exact by the allocator.</summary>
    public ulong FreeBlocks { get; set; }

    /// <summary>Of the free blocks those that the change under way must leave to others, who have reserved them.</summary>
    public ulong WithheldBlocks { get; set; }

    /// <summary>Blocks that the change under way may take.</summary>
    public ulong AvailableBlocks => FreeBlocks > WithheldBlocks ? FreeBlocks - WithheldBlocks : 0;

    public uint FreeInodes { get; set; }

    public ulong FreeBytes => AvailableBlocks * _geometry.BlockBytes;

    /// <summary>Whether something may not have been written to the device yet.</summary>
    public bool IsChanged => _unwritten;

    private Superblock* Super => (Superblock*)(_superblock->Data + _geometry.SuperblockOffsetBytes);

    /// <summary>
    /// Mounts the volume on a device, with a metadata cache of at most <paramref name="cacheBlocks"/> frames. Boot time. EINVAL: no ext4
    /// there; EOPNOTSUPP: an unknown feature, or a journal to be replayed (run e2fsck); EUCLEAN: damaged; EIO; ENOMEM.
    /// </summary>
    public static Errno Mount(BlockDevice device, FrameAllocator frames, uint cacheBlocks, out Volume? volume)
    {
        volume = null;
        void* probe = frames.Allocate();
        if (probe == null)
        {
            return Errno.ENOMEM;
        }

        Errno error = ReadGeometry(device, probe, out Geometry geometry, out bool mustNotWrite);
        frames.Free(probe);
        if (error != Errno.None)
        {
            return error;
        }

        Volume mounted = new(device, frames, geometry, mustNotWrite || device.ReadOnly, cacheBlocks);
        error = mounted.Start();
        if (error == Errno.None)
        {
            volume = mounted;
        }

        return error;
    }

    /// <summary>
    /// Called before any change: EROFS on a volume that must not change; marks the volume unclean on the device at the first one.
    /// </summary>
    public Errno BeginChange()
    {
        if (ReadOnly)
        {
            return Errno.EROFS;
        }

        _unwritten = true;
        _unflushed = true;
        if (_changed)
        {
            return Errno.None;
        }

        Super->State &= ~VolumeState.Clean;
        CommitSuperblock();
        Errno error = Cache.WriteBack();
        _changed = error == Errno.None;
        return error;
    }

    /// <summary>Something on the device contradicts itself: until e2fsck has seen it, the volume is never called clean.</summary>
    public void MarkDamaged()
    {
        if (!ReadOnly && (Super->State & VolumeState.HasErrors) == 0 && BeginChange() == Errno.None)
        {
            Log.Error($"ext4: the volume is damaged; e2fsck should see it");
            Super->State |= VolumeState.HasErrors;
            CommitSuperblock();
        }
    }

    /// <summary>The head of the list of orphans.</summary>
    internal void SetLastOrphan(uint number)
    {
        Super->LastOrphan = number;
        CommitSuperblock();
    }

    /// <summary>
    /// Waits until the device has everything that was changed on stable storage; the volume stays marked unclean. Nothing is asked of the
    /// device when nothing was changed since the last time. EIO.
    /// </summary>
    public Errno Flush()
    {
        Errno error = Cache.WriteBack();
        if (error == Errno.None && !Device.ReadOnly && _unflushed)
        {
            error = Device.Flush();
            _unflushed = error != Errno.None;
        }

        return error;
    }

    /// <summary>
    /// Writes everything that was changed, marks the volume clean, unless it has orphans, and waits until the device has it all on stable
    /// storage. EIO.
    /// </summary>
    public Errno Sync()
    {
        Errno error = Flush();
        if (error != Errno.None || !_changed)
        {
            return error;
        }

        // Orphans, or damage that was found or may be there: it stays marked, and the next start has e2fsck look at it.
        if (!Orphans.IsEmpty || _wasUnclean || (Super->State & VolumeState.HasErrors) != 0)
        {
            _unwritten = false;
            return Errno.None;
        }

        // Only now is all but the superblock in place: the mark may go.
        Super->State |= VolumeState.Clean;
        CommitSuperblock();
        error = Flush();
        _changed = error != Errno.None;
        _unwritten = _changed;
        return error;
    }

    /// <summary>Blocks that files can have at all: without bitmaps, inode tables and the journal.</summary>
    public ulong UsableBlocks =>
        Super->OverheadBlocks < _geometry.BlockCount ? _geometry.BlockCount - Super->OverheadBlocks : _geometry.BlockCount;

    private static Errno ReadGeometry(BlockDevice device, void* probe, out Geometry geometry, out bool mustNotWrite)
    {
        geometry = default;
        mustNotWrite = false;
        const uint firstSector = Superblock.OffsetOnDeviceBytes / BlockDevice.SectorSize;
        const uint sectors = Superblock.LengthBytes / BlockDevice.SectorSize;
        if (device.SectorCount < firstSector + sectors)
        {
            return Errno.EINVAL;
        }

        Errno error = device.Read(firstSector, probe, Superblock.LengthBytes);
        return error != Errno.None ? error : Geometry.TryParse((Superblock*)probe, device.SectorCount, out geometry, out mustNotWrite);
    }

    private Errno Start()
    {
        if (!Cache.IsUsable || !Contents.IsUsable || !Held.IsUsable)
        {
            return Errno.ENOMEM;
        }

        BlockHandle super = Cache.Read(_geometry.SuperblockBlock, BlockKind.Superblock, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        // Stays pinned for as long as the volume is mounted.
        _superblock = super.Entry;
        _wasUnclean = (Super->State & (VolumeState.Clean | VolumeState.HasErrors)) != VolumeState.Clean;
        if (_wasUnclean)
        {
            Log.Warn($"ext4: the volume was not let go cleanly; e2fsck should see it");
        }

        error = Groups.Verify(out ulong freeBlocks, out uint freeInodes);
        FreeBlocks = freeBlocks;
        FreeInodes = freeInodes;
        // The list of a volume with errors is not to be trusted (e2fsck does not, either).
        if (error == Errno.None && !ReadOnly && Super->LastOrphan != 0 && (Super->State & VolumeState.HasErrors) == 0)
        {
            error = BeginChange();
            error = error == Errno.None ? Orphans.CleanUp(Super->LastOrphan) : error;
        }

        return error;
    }

    private void CommitSuperblock()
    {
        _unflushed = true;
        const ulong nanosecondsPerSecond = 1_000_000_000;
        Super->FreeBlocksLow = (uint)FreeBlocks;
        if (_geometry.WideDescriptors)
        {
            Super->FreeBlocksHigh = (uint)(FreeBlocks >> 32);
        }

        Super->FreeInodes = FreeInodes;
        Super->WriteTime = (uint)(Clock.UnixTimeNs() / nanosecondsPerSecond);
        if (_geometry.HasChecksums)
        {
            Super->Checksum = Crc32c.Add(Crc32c.Start, new ReadOnlySpan<byte>(Super, Superblock.ChecksummedBytes));
        }

        _superblock->Dirty = true;
    }
}
