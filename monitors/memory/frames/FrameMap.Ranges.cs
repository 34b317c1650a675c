// Ranges and whole spaces in the frame map: munmap, mremap, fork and exit. A range may be terabytes of address space with a few pages in
// it, so every walk goes over the blocks that exist, never over addresses (BlockWalk).

using System;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FrameMap
{
    /// <summary>Forgets all pages in [start, end). ENOMEM when a shared block at the border of the range cannot be copied.</summary>
    public Errno Remove(AddressSpace* space, ulong start, ulong end)
    {
        // Only the two border blocks can be covered in part; with those exclusive nothing below can fail.
        Errno error = MakeBorderExclusive(space, start);
        if (error == Errno.None)
        {
            error = MakeBorderExclusive(space, end);
        }

        if (error != Errno.None)
        {
            return error;
        }

        BlockWalk walk = new(space, start, end);
        for (BlockMapping* mapping = walk.Next(this); mapping != null; mapping = walk.Next(this))
        {
            RemovePart(space, mapping, start, end);
        }

        ReapSomeNow();
        return Errno.None;
    }

    /// <summary>Moves the pages of [from, from + length) to [to, to + length), which has none and does not overlap. ENOMEM.</summary>
    public Errno Move(AddressSpace* space, ulong from, ulong to, ulong lengthBytes)
    {
        // First pass: everything that can fail. Blocks left empty by a failure are harmless and go with the space.
        Errno error = Errno.None;
        BlockWalk walk = new(space, from, from + lengthBytes);
        for (BlockMapping* mapping = walk.Next(this); mapping != null && error == Errno.None; mapping = walk.Next(this))
        {
            error = mapping->Block->References == 1 ? Errno.None : CopyBlock(mapping);
            PartOf(mapping, from, from + lengthBytes, out ulong address, out ulong end);
            for (; address < end && error == Errno.None; address += PageOperations.PageSize)
            {
                if (mapping->Block->Frames[IndexOf(address)] != 0)
                {
                    error = FindOrAddExclusive(space, to + (address - from), out _);
                }
            }
        }

        if (error != Errno.None)
        {
            return error;
        }

        // Second pass: the frames change places. No block goes yet, because the block that gave its pages away may take others in.
        walk = new BlockWalk(space, from, from + lengthBytes);
        for (BlockMapping* mapping = walk.Next(this); mapping != null; mapping = walk.Next(this))
        {
            PageBlock* source = mapping->Block;
            PartOf(mapping, from, from + lengthBytes, out ulong address, out ulong end);
            for (; address < end; address += PageOperations.PageSize)
            {
                uint frame = source->Frames[IndexOf(address)];
                if (frame == 0)
                {
                    continue;
                }

                ulong moved = to + (address - from);
                PageBlock* target = FindMapping(KeyOf(space, moved))->Block;
                target->Frames[IndexOf(moved)] = frame;
                target->Used++;
                source->Frames[IndexOf(address)] = 0;
                source->Used--;
            }
        }

        RemoveEmptyBlocks(space, from, from + lengthBytes);
        return Errno.None;
    }

    /// <summary>Gives an empty child all blocks of its parent, shared. On ENOMEM the child has some of them; drop it.</summary>
    public Errno Share(AddressSpace* parent, AddressSpace* child)
    {
        for (BlockMapping* mapping = parent->Blocks; mapping != null; mapping = mapping->Next)
        {
            Errno error = AddMapping(child, NumberOf(mapping), mapping->Block);
            if (error != Errno.None)
            {
                return error;
            }

            mapping->Block->References++;
        }

        return Errno.None;
    }

    /// <summary>Forgets all pages of a space, whose number names nothing any more. Large ones are left to the reaper.</summary>
    public void Drop(AddressSpace* space)
    {
        if (space->Blocks != null)
        {
            Bury(space->Blocks);
            space->Blocks = null;
            space->BlockCount = 0;
            ReapSomeNow();
        }
    }

    private Errno MakeBorderExclusive(AddressSpace* space, ulong border)
    {
        if ((border & (BlockBytes - 1)) == 0)
        {
            return Errno.None;
        }

        BlockMapping* mapping = FindMapping(KeyOf(space, border));
        return mapping == null || mapping->Block->References == 1 ? Errno.None : CopyBlock(mapping);
    }

    private void RemovePart(AddressSpace* space, BlockMapping* mapping, ulong start, ulong end)
    {
        PartOf(mapping, start, end, out ulong address, out ulong to);
        if (to - address == BlockBytes)
        {
            Unlink(space, mapping);
            mapping->Next = null;
            mapping->Previous = null;
            Bury(mapping);
            return;
        }

        PageBlock* block = mapping->Block;
        for (; address < to; address += PageOperations.PageSize)
        {
            int index = IndexOf(address);
            if (block->Frames[index] != 0)
            {
                _pool.Release(block->Frames[index]);
                block->Frames[index] = 0;
                block->Used--;
            }
        }

        if (block->Used == 0)
        {
            RemoveMapping(space, mapping);
        }
    }

    private void RemoveEmptyBlocks(AddressSpace* space, ulong start, ulong end)
    {
        BlockWalk walk = new(space, start, end);
        for (BlockMapping* mapping = walk.Next(this); mapping != null; mapping = walk.Next(this))
        {
            if (mapping->Block->Used == 0)
            {
                RemoveMapping(space, mapping);
            }
        }
    }

    /// <summary>What a block and a range have in common.</summary>
    private static void PartOf(BlockMapping* mapping, ulong start, ulong end, out ulong from, out ulong to)
    {
        ulong blockStart = NumberOf(mapping) << BlockShift;
        from = Math.Max(start, blockStart);
        to = Math.Min(end, blockStart + BlockBytes);
    }

    /// <summary>
    /// The blocks that a range touches, by their numbers or along the space's list, whichever is shorter. The block last given may be
    /// removed and others may be added meanwhile.
    /// </summary>
    private struct BlockWalk
    {
        private readonly AddressSpace* _space;
        private readonly ulong _last;
        private readonly ulong _first;
        private readonly bool _byNumber;
        private ulong _number;
        private BlockMapping* _next;

        public BlockWalk(AddressSpace* space, ulong start, ulong end)
        {
            _space = space;
            _first = start >> BlockShift;
            _last = (end - 1) >> BlockShift;
            _byNumber = _last - _first < space->BlockCount;
            _number = _first;
            _next = space->Blocks;
        }

        /// <summary>The blocks come in the order of their addresses.</summary>
        public readonly bool IsAscending => _byNumber;

        /// <summary>The next block's mapping, or null.</summary>
        public BlockMapping* Next(FrameMap map)
        {
            while (_byNumber && _number <= _last)
            {
                BlockMapping* mapping = map.FindMapping(KeyOfBlock(_space, _number++));
                if (mapping != null)
                {
                    return mapping;
                }
            }

            while (!_byNumber && _next != null)
            {
                BlockMapping* mapping = _next;
                _next = mapping->Next;
                ulong number = NumberOf(mapping);
                if (number >= _first && number <= _last)
                {
                    return mapping;
                }
            }

            return null;
        }
    }
}
