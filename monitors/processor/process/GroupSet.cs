// More supplementary groups of a process than fit into its own record (credentials(7); Linux allows 65,536, NGROUPS_MAX). A set does not
// change once it is a process's: setgroups makes another one, and a child shares its parent's, as Linux's struct group_info is shared.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Head of a set in page frames next to each other; the groups follow it, in ascending order.</summary>
public unsafe struct GroupSet
{
    /// <summary>Most groups of a process (NGROUPS_MAX).</summary>
    public const int Most = 65536;

    /// <summary>Steps of a sort after which others have their turn.</summary>
    private const int TurnSteps = 1024;

    private int _users;
    private int _count;

    /// <summary>A set with one user and room for so many groups; null: there is no memory.</summary>
    public static GroupSet* Make(FrameAllocator frames, int count)
    {
        ulong pages = PagesOf(count);
        GroupSet* set = (GroupSet*)(pages == 1 ? frames.Allocate() : frames.AllocateContiguous(pages));
        if (set != null)
        {
            *set = new GroupSet { _users = 1, _count = count };
        }

        return set;
    }

    /// <summary>The groups of a set.</summary>
    public static Span<uint> Of(GroupSet* set) => new(set + 1, set->_count);

    /// <summary>One user more; null is no set.</summary>
    public static GroupSet* Hold(GroupSet* set)
    {
        if (set != null)
        {
            set->_users++;
        }

        return set;
    }

    /// <summary>One user less; the last one frees it.</summary>
    public static void Release(FrameAllocator frames, GroupSet* set)
    {
        if (set == null || --set->_users != 0)
        {
            return;
        }

        ulong pages = PagesOf(set->_count);
        if (pages == 1)
        {
            frames.Free(set);
        }
        else
        {
            frames.FreeContiguous(set, pages);
        }
    }

    /// <summary>Puts groups that nobody else knows yet into ascending order (heapsort: Williams, CACM 7 (6), 1964).</summary>
    [Blocks]
    public static void Sort(Span<uint> groups)
    {
        for (int root = (groups.Length / 2) - 1; root >= 0; root--)
        {
            GiveTurn(root);
            Sift(groups, root);
        }

        for (int last = groups.Length - 1; last > 0; last--)
        {
            GiveTurn(last);
            (groups[0], groups[last]) = (groups[last], groups[0]);
            Sift(groups.Slice(0, last), 0);
        }
    }

    [Blocks]
    private static void GiveTurn(int step)
    {
        if (step % TurnSteps == TurnSteps - 1)
        {
            Scheduler.Yield();
        }
    }

    /// <summary>Lets a root of a heap sink to where it is not smaller than its children.</summary>
    private static void Sift(Span<uint> heap, int root)
    {
        for (int child; (child = (2 * root) + 1) < heap.Length; root = child)
        {
            child += child + 1 < heap.Length && heap[child + 1] > heap[child] ? 1 : 0;
            if (heap[root] >= heap[child])
            {
                return;
            }

            (heap[root], heap[child]) = (heap[child], heap[root]);
        }
    }

    private static ulong PagesOf(int count) =>
        ((ulong)sizeof(GroupSet) + ((ulong)count * sizeof(uint)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
}
