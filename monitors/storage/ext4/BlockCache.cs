// A bounded write-back cache of one volume's metadata: bitmaps, group descriptors, inode tables, extent nodes, directories. File contents
// do not pass through it (they are cached at the memory component). One frame holds one block; frames are taken as they are first needed,
// and none is given back. Replacement is least recently used among blocks that no handle pins. Reading a block, and evicting a dirty one,
// BLOCK on the device; the volume's lock keeps other threads out meanwhile.

using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Metadata blocks in memory.</summary>
public sealed unsafe class BlockCache
{
    private const ulong HashFactor = 0x9E3779B97F4A7C15;

    private readonly BlockDevice _device;
    private readonly FrameAllocator _frames;
    private readonly uint _blockBytes;
    private readonly uint _sectorsPerBlock;
    private readonly ulong _blockCount;
    private readonly CachedBlock* _entries;
    private readonly CachedBlock** _buckets;
    private readonly int _bucketShift;
    private readonly uint _capacity;
    private uint _used;

    /// <summary>Head of the circular list by time of use: Newer is the oldest block, Older the newest.</summary>
    private readonly CachedBlock* _list;

    /// <summary>Room for <paramref name="capacity"/> blocks; check <see cref="IsUsable"/>. Boot time.</summary>
    public BlockCache(BlockDevice device, FrameAllocator frames, uint blockBytes, ulong blockCount, uint capacity)
    {
        _device = device;
        _frames = frames;
        _blockBytes = blockBytes;
        _sectorsPerBlock = blockBytes / BlockDevice.SectorSize;
        _blockCount = blockCount;
        _capacity = capacity;
        uint buckets = BitOperations.RoundUpToPowerOf2(capacity);
        _bucketShift = 64 - BitOperations.Log2(buckets);
        _entries = (CachedBlock*)AllocateTable((ulong)(capacity + 1) * (ulong)sizeof(CachedBlock));
        _buckets = (CachedBlock**)AllocateTable((ulong)buckets * (ulong)sizeof(CachedBlock*));
        if (_entries != null)
        {
            _list = _entries + capacity;
            _list->Newer = _list;
            _list->Older = _list;
        }
    }

    /// <summary>False when there was no memory for the tables.</summary>
    public bool IsUsable => _entries != null && _buckets != null;

    public ulong Hits { get; private set; }

    public ulong Misses { get; private set; }

    public ulong WriteBacks { get; private set; }

    /// <summary>Takes all frames now; for callers that count frames. False when there are not enough.</summary>
    public bool TryReserve()
    {
        while (_used < _capacity)
        {
            void* frame = _frames.Allocate();
            if (frame == null)
            {
                return false;
            }

            CachedBlock* block = _entries + _used++;
            block->Data = (byte*)frame;
            PutOldest(block);
        }

        return true;
    }

    /// <summary>
    /// The block as it is on the device or was last changed here. EUCLEAN: no such block; EIO; ENOMEM: everything is pinned.
    /// </summary>
    public BlockHandle Read(ulong number, BlockKind kind, out Errno error)
    {
        CachedBlock* block = Find(number);
        if (block != null)
        {
            Hits++;
            error = TakeAs(block, kind);
            return error == Errno.None ? Pin(block) : default;
        }

        Misses++;
        block = Claim(number, kind, out error);
        if (error != Errno.None)
        {
            return default;
        }

        error = _device.Read(number * _sectorsPerBlock, block->Data, _blockBytes);
        if (error != Errno.None)
        {
            Drop(block);
            return default;
        }

        return Pin(block);
    }

    /// <summary>The block with all bytes zero, dirty, without reading it; for blocks that have just been allocated.
    /// EUCLEAN: the block is in use, so the bitmap that gave it out is wrong.</summary>
    public BlockHandle Create(ulong number, BlockKind kind, out Errno error)
    {
        CachedBlock* block = Find(number);
        if (block == null)
        {
            block = Claim(number, kind, out error);
        }
        else
        {
            error = block->Pins == 0 ? TakeAs(block, kind) : Errno.EUCLEAN;
        }

        if (error != Errno.None)
        {
            return default;
        }

        new Span<byte>(block->Data, (int)_blockBytes).Clear();
        block->Dirty = true;
        block->VerifiedBits = ulong.MaxValue;
        return Pin(block);
    }

    /// <summary>The block has been freed: what is cached of it must never be written. A block that is still pinned stays, clean.</summary>
    public void Forget(ulong number)
    {
        CachedBlock* block = Find(number);
        if (block == null)
        {
            return;
        }

        block->Dirty = false;
        if (block->Pins == 0)
        {
            Drop(block);
        }
    }

    /// <summary>Writes every dirty block; the device may still hold them in a cache of its own.</summary>
    public Errno WriteBack()
    {
        Errno result = Errno.None;
        for (uint i = 0; i < _used; i++)
        {
            CachedBlock* block = _entries + i;
            if (block->InUse && block->Dirty)
            {
                Errno error = WriteOut(block);
                result = error != Errno.None ? error : result;
            }
        }

        return result;
    }

    private static void Unlink(CachedBlock* block)
    {
        block->Newer->Older = block->Older;
        block->Older->Newer = block->Newer;
    }

    /// <summary>
    /// A damaged volume can name one block as two things. It may change its kind only while nobody looks at it; then nothing that was found
    /// right about it counts any more.
    /// </summary>
    private static Errno TakeAs(CachedBlock* block, BlockKind kind)
    {
        if (block->Kind == kind)
        {
            return Errno.None;
        }

        if (block->Pins != 0)
        {
            return Errno.EUCLEAN;
        }

        block->Kind = kind;
        block->VerifiedBits = 0;
        return Errno.None;
    }

    private void* AllocateTable(ulong lengthBytes)
    {
        ulong pages = (lengthBytes + PageOperations.PageSize - 1) / PageOperations.PageSize;
        void* table = _frames.AllocateContiguous(pages);
        if (table != null)
        {
            for (ulong page = 0; page < pages; page++)
            {
                PageOperations.Clear((byte*)table + (page * PageOperations.PageSize));
            }
        }

        return table;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private CachedBlock** Bucket(ulong number) => _buckets + ((number * HashFactor) >> _bucketShift);

    private CachedBlock* Find(ulong number)
    {
        CachedBlock* block = *Bucket(number);
        while (block != null && block->Number != number)
        {
            block = block->NextInBucket;
        }

        return block;
    }

    private BlockHandle Pin(CachedBlock* block)
    {
        block->Pins++;
        Unlink(block);
        MakeNewest(block);
        return new BlockHandle(block, _blockBytes);
    }

    private void MakeNewest(CachedBlock* block)
    {
        block->Older = _list->Older;
        block->Newer = _list;
        _list->Older->Newer = block;
        _list->Older = block;
    }

    /// <summary>An entry for a block that is not cached, with undefined contents.</summary>
    private CachedBlock* Claim(ulong number, BlockKind kind, out Errno error)
    {
        if (number >= _blockCount)
        {
            error = Errno.EUCLEAN;
            return null;
        }

        CachedBlock* block = TakeUnused();
        error = Errno.None;
        if (block == null)
        {
            block = Evict(out error);
            if (error != Errno.None)
            {
                return null;
            }
        }

        block->Number = number;
        block->Kind = kind;
        block->InUse = true;
        block->Dirty = false;
        block->Pins = 0;
        block->VerifiedBits = 0;
        CachedBlock** bucket = Bucket(number);
        block->NextInBucket = *bucket;
        *bucket = block;
        MakeNewest(block);
        return block;
    }

    /// <summary>
    /// An entry that holds no block: a fresh one while frames last, or one whose block was dropped (those are the oldest).
    /// </summary>
    private CachedBlock* TakeUnused()
    {
        CachedBlock* oldest = _list->Newer;
        if (oldest != _list && !oldest->InUse)
        {
            Unlink(oldest);
            return oldest;
        }

        if (_used == _capacity)
        {
            return null;
        }

        void* frame = _frames.Allocate();
        if (frame == null)
        {
            return null;
        }

        CachedBlock* block = _entries + _used++;
        block->Data = (byte*)frame;
        return block;
    }

    /// <summary>The oldest block that can go. EIO: no dirty one can be written and no clean one is left; ENOMEM: all are pinned.</summary>
    private CachedBlock* Evict(out Errno error)
    {
        error = Errno.ENOMEM;
        for (CachedBlock* block = _list->Newer; block != _list; block = block->Newer)
        {
            if (block->Pins != 0)
            {
                continue;
            }

            Errno written = block->Dirty ? WriteOut(block) : Errno.None;
            if (written != Errno.None)
            {
                // It stays, for a device that recovers; another one makes room.
                error = written;
                continue;
            }

            error = Errno.None;
            Unhash(block);
            Unlink(block);
            return block;
        }

        return null;
    }

    private void Drop(CachedBlock* block)
    {
        Unhash(block);
        block->InUse = false;
        block->Dirty = false;
        Unlink(block);
        PutOldest(block);
    }

    private void PutOldest(CachedBlock* block)
    {
        block->Newer = _list->Newer;
        block->Older = _list;
        _list->Newer->Older = block;
        _list->Newer = block;
    }

    private void Unhash(CachedBlock* block)
    {
        CachedBlock** link = Bucket(block->Number);
        while (*link != block)
        {
            link = &(*link)->NextInBucket;
        }

        *link = block->NextInBucket;
    }

    private Errno WriteOut(CachedBlock* block)
    {
        Errno error = _device.Write(block->Number * _sectorsPerBlock, block->Data, _blockBytes);
        if (error == Errno.None)
        {
            block->Dirty = false;
            WriteBacks++;
        }

        return error;
    }
}
