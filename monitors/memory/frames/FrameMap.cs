// The map from (address space, page) to physical frame: a hash table whose look-up touches one bucket, a 64-byte line (Clio, ASPLOS'22),
// sized once by the machine's memory. An entry leads to a PageBlock of 64 pages.
// A page gets a frame when it is first written back, not before. Frames and blocks are shared copy-on-write after fork.
// This file: single pages and the table. FrameMap.Ranges.cs: ranges and whole spaces. FrameMap.Graves.cs: what they leave behind.
// Never blocks; runs inline in the poller. Callers hold the kernel lock. On ENOMEM nothing has changed unless a method says otherwise.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Where the pages of all address spaces are.</summary>
public sealed unsafe partial class FrameMap : FrameReclaimer
{
    private const int PageShift = 12;
    private const uint WordBytes = 8;
    private const int BlockShift = PageShift + PageBlock.PagesShift;
    private const ulong BlockBytes = 1UL << BlockShift;
    /// <summary>User addresses have 47 bits, so a block number has 29.</summary>
    private const int BlockNumberBits = 47 - BlockShift;
    /// <summary>One bucket for so many frames: three entries of up to 64 pages each are far more than enough when memory is used
    /// densely.</summary>
    private const ulong FramesPerBucket = 16;
    /// <summary>2^64 divided by the golden ratio (Knuth, TAOCP 3, section 6.4).</summary>
    private const ulong HashMultiplier = 0x9E3779B97F4A7C15;

    private readonly FramePool _pool;
    private readonly Slab<PageBlock> _blocks;
    private readonly Slab<BlockMapping> _mappings;
    private readonly Slab<Bucket> _overflowBuckets;
    private readonly Bucket* _buckets;
    private readonly int _hashShift;
    private ulong _blockCopies;
    private ulong _frameCopies;

    /// <summary>Allocates the bucket array from <paramref name="frames"/> at once.</summary>
    public FrameMap(FrameAllocator frames, FramePool pool)
    {
        _pool = pool;
        pool.SetGraves(this);
        _blocks = new Slab<PageBlock>(frames);
        _mappings = new Slab<BlockMapping>(frames);
        _overflowBuckets = new Slab<Bucket>(frames);
        ulong bucketsPerPage = PageOperations.PageSize / (ulong)sizeof(Bucket);
        int bits = 6;
        while ((1UL << bits) < frames.TotalPages / FramesPerBucket)
        {
            bits++;
        }

        ulong pages = (1UL << bits) / bucketsPerPage;
        _hashShift = 64 - bits;
        _buckets = (Bucket*)frames.AllocateContiguous(pages);
        if (_buckets == null)
        {
            Panic.Because("FrameMap: no memory for the bucket array");
        }

        for (ulong page = 0; page < pages; page++)
        {
            PageOperations.Clear((byte*)_buckets + (page * PageOperations.PageSize));
        }
    }

    /// <summary>The frame of the page at <paramref name="address"/>, or null. The hot path of every miss.</summary>
    public byte* Find(AddressSpace* space, ulong address)
    {
        BlockMapping* mapping = FindMapping(KeyOf(space, address));
        if (mapping == null)
        {
            return null;
        }

        uint frame = mapping->Block->Frames[IndexOf(address)];
        return frame == 0 ? null : _pool.AddressOf(frame);
    }

    /// <summary>Takes a written-back page over: the page has its own frame afterwards. ENOMEM.</summary>
    public Errno Store(AddressSpace* space, ulong address, void* source)
    {
        uint frame = 0;
        return Store(space, address, source, ref frame);
    }

    /// <summary>
    /// Takes a page over that several spaces have written back: all get one frame, copy-on-write. <paramref name="stored"/> is 0 for the
    /// first of them, and the frame for the others. ENOMEM.
    /// </summary>
    public Errno Store(AddressSpace* space, ulong address, void* source, ref uint stored)
    {
        Errno error = FindOrAddExclusive(space, address, out PageBlock* block);
        if (error != Errno.None)
        {
            return error;
        }

        int index = IndexOf(address);
        uint frame = block->Frames[index];
        if (stored != 0)
        {
            _pool.AddReference(stored);
            Replace(block, index, stored);
            return Errno.None;
        }

        if (frame == 0 || _pool.IsShared(frame))
        {
            uint replacement = _pool.AllocateAnonymous();
            if (replacement == 0)
            {
                return Errno.ENOMEM;
            }

            Replace(block, index, replacement);
            frame = replacement;
        }

        stored = frame;
        byte* target = _pool.AddressOf(frame);
        if (((nuint)source & (WordBytes - 1)) == 0)
        {
            PageOperations.Copy(target, source);
        }
        else
        {
            PageOperations.CopyBytes(target, source, PageOperations.PageSize);
        }

        return Errno.None;
    }

    /// <summary>A frame of its own for a page that this component itself fills (program loading): cleared when new. ENOMEM.</summary>
    public Errno MakeWritable(AddressSpace* space, ulong address, out byte* frameAddress)
    {
        frameAddress = null;
        Errno error = FindOrAddExclusive(space, address, out PageBlock* block);
        if (error != Errno.None)
        {
            return error;
        }

        int index = IndexOf(address);
        uint frame = block->Frames[index];
        if (frame == 0 || _pool.IsShared(frame))
        {
            uint replacement = _pool.AllocateAnonymous();
            if (replacement == 0)
            {
                return Errno.ENOMEM;
            }

            if (frame == 0)
            {
                PageOperations.Clear(_pool.AddressOf(replacement));
            }
            else
            {
                PageOperations.Copy(_pool.AddressOf(replacement), _pool.AddressOf(frame));
                _frameCopies++;
            }

            Replace(block, index, replacement);
            frame = replacement;
        }

        frameAddress = _pool.AddressOf(frame);
        return Errno.None;
    }

    /// <summary>Counters of copy-on-write and of the table.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.page_blocks"u8, _blocks.InUse);
        writer.Add("memory.bucket_overflows"u8, _overflowBuckets.InUse);
        writer.Add("memory.fork_block_copies"u8, _blockCopies);
        writer.Add("memory.fork_frame_copies"u8, _frameCopies);
    }

    private static int IndexOf(ulong address) => (int)(address >> PageShift) & (PageBlock.Pages - 1);

    private static ulong KeyOf(AddressSpace* space, ulong address) => KeyOfBlock(space, address >> BlockShift);

    private static ulong KeyOfBlock(AddressSpace* space, ulong number) => ((ulong)space->Number << BlockNumberBits) | number;

    private static ulong NumberOf(BlockMapping* mapping) => mapping->Key & ((1UL << BlockNumberBits) - 1);

    private Bucket* BucketOf(ulong key) => _buckets + ((key * HashMultiplier) >> _hashShift);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private BlockMapping* FindMapping(ulong key)
    {
        for (Bucket* bucket = BucketOf(key); bucket != null; bucket = bucket->Overflow)
        {
            if (bucket->Keys[0] == key)
            {
                return bucket->Mapping0;
            }

            if (bucket->Keys[1] == key)
            {
                return bucket->Mapping1;
            }

            if (bucket->Keys[2] == key)
            {
                return bucket->Mapping2;
            }
        }

        return null;
    }

    private Errno FindOrAddExclusive(AddressSpace* space, ulong address, out PageBlock* block)
    {
        BlockMapping* mapping = FindMapping(KeyOf(space, address));
        if (mapping != null)
        {
            block = mapping->Block;
            if (block->References == 1)
            {
                return Errno.None;
            }

            Errno copied = CopyBlock(mapping);
            block = mapping->Block;
            return copied;
        }

        _pool.EnsureReserve();
        block = _blocks.Allocate();
        if (block == null)
        {
            return Errno.ENOMEM;
        }

        block->References = 1;
        Errno error = AddMapping(space, address >> BlockShift, block);
        if (error != Errno.None)
        {
            _blocks.Free(block);
        }

        return error;
    }

    private Errno CopyBlock(BlockMapping* mapping)
    {
        _pool.EnsureReserve();
        PageBlock* shared = mapping->Block;
        if (shared->References == 1)
        {
            // The others were in their graves.
            return Errno.None;
        }

        PageBlock* copy = _blocks.Allocate();
        if (copy == null)
        {
            return Errno.ENOMEM;
        }

        *copy = *shared;
        copy->References = 1;
        for (int index = 0; index < PageBlock.Pages; index++)
        {
            if (copy->Frames[index] != 0)
            {
                _pool.AddReference(copy->Frames[index]);
            }
        }

        shared->References--;
        mapping->Block = copy;
        _blockCopies++;
        return Errno.None;
    }

    private void Replace(PageBlock* block, int index, uint frame)
    {
        uint previous = block->Frames[index];
        block->Frames[index] = frame;
        if (previous == 0)
        {
            block->Used++;
        }
        else
        {
            _pool.Release(previous);
        }
    }

    private void ReleaseBlock(PageBlock* block)
    {
        if (--block->References != 0)
        {
            return;
        }

        for (int index = 0; index < PageBlock.Pages; index++)
        {
            if (block->Frames[index] != 0)
            {
                _pool.Release(block->Frames[index]);
            }
        }

        _blocks.Free(block);
    }

    private Errno AddMapping(AddressSpace* space, ulong number, PageBlock* block)
    {
        _pool.EnsureReserve();
        BlockMapping* mapping = _mappings.Allocate();
        if (mapping == null)
        {
            return Errno.ENOMEM;
        }

        mapping->Key = KeyOfBlock(space, number);
        mapping->Block = block;
        if (!InsertEntry(mapping))
        {
            _mappings.Free(mapping);
            return Errno.ENOMEM;
        }

        mapping->Next = space->Blocks;
        if (space->Blocks != null)
        {
            space->Blocks->Previous = mapping;
        }

        space->Blocks = mapping;
        space->BlockCount++;
        return Errno.None;
    }

    private void RemoveMapping(AddressSpace* space, BlockMapping* mapping)
    {
        Unlink(space, mapping);
        ReleaseBlock(mapping->Block);
        _mappings.Free(mapping);
    }

    /// <summary>Takes a mapping out of the table and off its space's list.</summary>
    private void Unlink(AddressSpace* space, BlockMapping* mapping)
    {
        RemoveEntry(mapping->Key);
        mapping->Key = 0;
        if (mapping->Previous != null)
        {
            mapping->Previous->Next = mapping->Next;
        }
        else
        {
            space->Blocks = mapping->Next;
        }

        if (mapping->Next != null)
        {
            mapping->Next->Previous = mapping->Previous;
        }

        space->BlockCount--;
    }

    private bool InsertEntry(BlockMapping* mapping)
    {
        Bucket* bucket = BucketOf(mapping->Key);
        while (true)
        {
            for (int entry = 0; entry < Bucket.Entries; entry++)
            {
                if (bucket->Keys[entry] == 0)
                {
                    bucket->Keys[entry] = mapping->Key;
                    (&bucket->Mapping0)[entry] = mapping;
                    return true;
                }
            }

            if (bucket->Overflow == null)
            {
                bucket->Overflow = _overflowBuckets.Allocate();
                if (bucket->Overflow == null)
                {
                    return false;
                }
            }

            bucket = bucket->Overflow;
        }
    }

    private void RemoveEntry(ulong key)
    {
        Bucket* previous = null;
        for (Bucket* bucket = BucketOf(key); bucket != null; previous = bucket, bucket = bucket->Overflow)
        {
            for (int entry = 0; entry < Bucket.Entries; entry++)
            {
                if (bucket->Keys[entry] != key)
                {
                    continue;
                }

                bucket->Keys[entry] = 0;
                (&bucket->Mapping0)[entry] = null;
                if (previous != null && (bucket->Keys[0] | bucket->Keys[1] | bucket->Keys[2]) == 0)
                {
                    previous->Overflow = bucket->Overflow;
                    _overflowBuckets.Free(bucket);
                }

                return;
            }
        }
    }
}
