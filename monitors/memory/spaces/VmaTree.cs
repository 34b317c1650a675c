// The vma tree of each address space: a treap (Seidel and Aragon 1996), a search tree by address that random priorities keep balanced,
// threaded by a list in address order. All operations are loops over link pointers; nothing recurses, nothing blocks.
// The tree never judges: whoever inserts has made sure that ranges do not overlap.

using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Finds, inserts and removes vmas.</summary>
internal sealed unsafe class VmaTree
{
    private readonly Slab<Vma> _vmas;
    private readonly FramePool _pool;
    private XorShift _random = new(0);

    internal VmaTree(FrameAllocator frames, FramePool pool)
    {
        _vmas = new Slab<Vma>(frames);
        _pool = pool;
    }

    internal ulong InUse => _vmas.InUse;

    /// <summary>A zeroed vma that is in no tree yet, or null.</summary>
    internal Vma* Allocate()
    {
        _pool.EnsureReserve();
        return _vmas.Allocate();
    }

    /// <summary>Frees a vma that is in no tree.</summary>
    internal void Free(Vma* vma) => _vmas.Free(vma);

    /// <summary>The vma that contains the address, or null.</summary>
    internal static Vma* Find(AddressSpace* space, ulong address)
    {
        Vma* recent = space->Recent;
        if (recent != null && address >= recent->Start && address < recent->End)
        {
            return recent;
        }

        Vma* found = FindAtOrAbove(space, address);
        if (found == null || found->Start > address)
        {
            return null;
        }

        space->Recent = found;
        return found;
    }

    /// <summary>The lowest vma that ends above the address, or null (Linux: find_vma).</summary>
    internal static Vma* FindAtOrAbove(AddressSpace* space, ulong address)
    {
        Vma* best = null;
        for (Vma* node = space->Root; node != null;)
        {
            if (node->End > address)
            {
                best = node;
                if (node->Start <= address)
                {
                    break;
                }

                node = node->Left;
            }
            else
            {
                node = node->Right;
            }
        }

        return best;
    }

    /// <summary>The first vma that overlaps [start, end), or null.</summary>
    internal static Vma* FindOverlap(AddressSpace* space, ulong start, ulong end)
    {
        Vma* vma = FindAtOrAbove(space, start);
        return vma != null && vma->Start < end ? vma : null;
    }

    /// <summary>Links a vma in.</summary>
    internal void Insert(AddressSpace* space, Vma* vma)
    {
        vma->Next = FindAtOrAbove(space, vma->Start);
        vma->Previous = vma->Next != null ? vma->Next->Previous : space->Last;
        *(vma->Previous != null ? &vma->Previous->Next : &space->First) = vma;
        *(vma->Next != null ? &vma->Next->Previous : &space->Last) = vma;

        vma->Priority = NextPriority();
        Vma** link = &space->Root;
        while (*link != null && (*link)->Priority >= vma->Priority)
        {
            link = vma->Start < (*link)->Start ? &(*link)->Left : &(*link)->Right;
        }

        Split(*link, vma->Start, &vma->Left, &vma->Right);
        *link = vma;
        space->VmaCount++;
    }

    /// <summary>Unlinks a vma; the caller frees it.</summary>
    internal static void Remove(AddressSpace* space, Vma* vma)
    {
        *(vma->Previous != null ? &vma->Previous->Next : &space->First) = vma->Next;
        *(vma->Next != null ? &vma->Next->Previous : &space->Last) = vma->Previous;
        Vma** link = &space->Root;
        while (*link != vma)
        {
            link = vma->Start < (*link)->Start ? &(*link)->Left : &(*link)->Right;
        }

        *link = Merge(vma->Left, vma->Right);
        if (space->Recent == vma)
        {
            space->Recent = null;
        }

        space->VmaCount--;
    }

    /// <summary>Splits a subtree into the vmas below and above a key.</summary>
    private static void Split(Vma* node, ulong key, Vma** below, Vma** above)
    {
        while (node != null)
        {
            if (node->Start < key)
            {
                *below = node;
                below = &node->Right;
                node = node->Right;
            }
            else
            {
                *above = node;
                above = &node->Left;
                node = node->Left;
            }
        }

        *below = null;
        *above = null;
    }

    /// <summary>Joins two subtrees, all of the first below all of the second.</summary>
    private static Vma* Merge(Vma* below, Vma* above)
    {
        Vma* root = null;
        Vma** link = &root;
        while (below != null && above != null)
        {
            if (below->Priority > above->Priority)
            {
                *link = below;
                link = &below->Right;
                below = below->Right;
            }
            else
            {
                *link = above;
                link = &above->Left;
                above = above->Left;
            }
        }

        *link = below != null ? below : above;
        return root;
    }

    private uint NextPriority() => (uint)(_random.Next() >> 32);
}
