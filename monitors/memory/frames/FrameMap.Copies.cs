// Pages that are at two places of a space for a while: mremap of a space with several owners lets each owner copy what it has before the
// ranges change and anything is forgotten, so that a failure loses nothing. Within a component a copy is the same frame once more.

using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FrameMap
{
    /// <summary>
    /// Gives [to, to + length) the pages of [from, from + length), copy-on-write; the ranges do not overlap. ENOMEM; some pages have been
    /// copied then.
    /// </summary>
    public Errno Duplicate(AddressSpace* space, ulong from, ulong to, ulong lengthBytes)
    {
        ulong address = from;
        while (TryNext(space, ref address, from + lengthBytes, out uint frame))
        {
            ulong copy = to + (address - from);
            Errno error = FindOrAddExclusive(space, copy, out PageBlock* block);
            if (error != Errno.None)
            {
                return error;
            }

            _pool.AddReference(frame);
            Replace(block, IndexOf(copy), frame);
            address += PageOperations.PageSize;
        }

        return Errno.None;
    }

    /// <summary>The first page from an address on that has a frame; false when there is none below <paramref name="end"/>.</summary>
    public bool TryNext(AddressSpace* space, ref ulong address, ulong end, out byte* page)
    {
        bool found = TryNext(space, ref address, end, out uint frame);
        page = found ? _pool.AddressOf(frame) : null;
        return found;
    }

    private bool TryNext(AddressSpace* space, ref ulong address, ulong end, out uint frame)
    {
        while (address < end)
        {
            BlockMapping* lowest = null;
            BlockWalk walk = new(space, address, end);
            for (BlockMapping* mapping = walk.Next(this); mapping != null; mapping = walk.Next(this))
            {
                lowest = lowest == null || NumberOf(mapping) < NumberOf(lowest) ? mapping : lowest;
                if (walk.IsAscending)
                {
                    break;
                }
            }

            if (lowest == null)
            {
                break;
            }

            PartOf(lowest, address, end, out address, out ulong to);
            for (; address < to; address += PageOperations.PageSize)
            {
                frame = lowest->Block->Frames[IndexOf(address)];
                if (frame != 0)
                {
                    return true;
                }
            }
        }

        frame = 0;
        return false;
    }
}
