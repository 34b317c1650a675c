// Epoll instances that watch each other (epoll_ctl(2), ELOOP): a cycle would tell itself of its own events without end, and a deep chain
// would take the kernel's stack. So both are refused when an instance is to watch another one, as Linux does (ep_loop_check): no
// instance is reached from itself, and no chain is longer than MostNested. Nothing here blocks.

using System;

namespace Lego.Processor;

/// <summary>Searches the graph of instances.</summary>
public static unsafe class EpollNesting
{
    /// <summary>Most instances below one (EP_MAX_NESTS).</summary>
    private const int MostNested = 4;

    /// <summary>False: that an instance watches another one would close a cycle, or make a chain too long.</summary>
    public static bool MayWatch(FileSystem files, EpollSet* set, EpollSet* target)
    {
        int below = DepthBelow(target, set, files.NextEpollSearch(), 0);
        return below <= MostNested && below + 1 + DepthAbove(set, files.NextEpollSearch(), 0) <= MostNested;
    }

    /// <summary>Levels of instances that one watches; more than any chain may have when the search comes to the sought one.</summary>
    private static int DepthBelow(EpollSet* set, EpollSet* sought, ulong search, int level)
    {
        if (set == sought || level > MostNested)
        {
            return MostNested + 1;
        }

        int depth = 0;
        set->Visited = search;
        for (EpollEntry* entry = set->First; entry != null; entry = entry->Next)
        {
            if (entry->File->Kind == FileKind.Epoll)
            {
                EpollSet* next = entry->File->Epoll;
                next->Depth = next->Visited == search ? next->Depth : DepthBelow(next, sought, search, level + 1);
                depth = Math.Max(depth, 1 + next->Depth);
            }
        }

        return depth;
    }

    /// <summary>Levels of instances that watch one.</summary>
    private static int DepthAbove(EpollSet* set, ulong search, int level)
    {
        int depth = 0;
        set->Visited = search;
        for (EpollEntry* entry = set->Watchers.First; entry != null && level <= MostNested; entry = entry->NextOfObject)
        {
            EpollSet* next = entry->Set;
            next->Depth = next->Visited == search ? next->Depth : DepthAbove(next, search, level + 1);
            depth = Math.Max(depth, 1 + next->Depth);
        }

        return depth;
    }
}
