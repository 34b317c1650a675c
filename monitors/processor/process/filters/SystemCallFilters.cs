// What seccomp(2) keeps programs from: a thread is free, may only read, write and end (the strict mode), or asks its filters before each
// call. A filter is a classic-BPF program, kept in pages; filters form a chain, the newest first, whose tails threads share, and go with
// the last thread that has them. Threads inherit mode and chain. Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>SECCOMP_MODE_*.</summary>
public enum FilterMode : byte
{
    Free = 0,
    Strict = 1,
    Filtered = 2,
}

/// <summary>One filter.</summary>
public unsafe struct SystemCallFilter
{
    /// <summary>Threads and newer filters that refer to it.</summary>
    public uint References;
    public SystemCallFilter* Older;
    public FilterCode Code;
}

/// <summary>The filters of a component.</summary>
public sealed unsafe class SystemCallFilters(FrameAllocator frames)
{
    /// <summary>Instructions of all filters of a thread, each with some more to reach it (MAX_INSNS_PER_PATH of Linux).</summary>
    private const int MostInstructions = 32768;
    private const int InstructionsToReach = 4;
    /// <summary>One filter for so many free frames at boot: it takes up to nine.</summary>
    private const ulong FramesOfFilter = 64;

    private readonly Slab<SystemCallFilter> _filters = new(frames, Math.Max(frames.FreePages / FramesOfFilter, 4));

    /// <summary>Filters that there are.</summary>
    public ulong Count => _filters.InUse;

    /// <summary>A filter with room for a program; null: ENOMEM.</summary>
    public SystemCallFilter* Create(int length)
    {
        SystemCallFilter* filter = _filters.Allocate();
        if (filter == null)
        {
            return null;
        }

        filter->References = 1;
        if (filter->Code.TryTake(frames, length))
        {
            return filter;
        }

        Release(filter);
        return null;
    }

    /// <summary>A reference less; what nobody refers to any more goes.</summary>
    public void Release(SystemCallFilter* filter)
    {
        while (filter != null && --filter->References == 0)
        {
            SystemCallFilter* older = filter->Older;
            filter->Code.GiveBack(frames);
            _filters.Free(filter);
            filter = older;
        }
    }

    /// <summary>Puts a filter before those of a thread. ENOMEM: they would be too long.</summary>
    public static Errno Attach(UserThread* thread, SystemCallFilter* filter)
    {
        int total = filter->Code.Length;
        for (SystemCallFilter* older = thread->Filters; older != null; older = older->Older)
        {
            total += older->Code.Length + InstructionsToReach;
        }

        if (total > MostInstructions)
        {
            return Errno.ENOMEM;
        }

        filter->Older = thread->Filters;
        thread->Filters = filter;
        thread->FilterMode = FilterMode.Filtered;
        thread->EntersSpecially = true;
        return Errno.None;
    }

    /// <summary>A thread gets what another one has, which has made it, or gives its filters to all of its process.</summary>
    public static void Inherit(UserThread* from, UserThread* to)
    {
        SystemCallFilter* before = to->Filters;
        to->FilterMode = from->FilterMode;
        to->Filters = from->Filters;
        to->EntersSpecially = from->FilterMode != FilterMode.Free;
        if (to->Filters != null)
        {
            to->Filters->References++;
        }

        // It has some already when they were given to all threads while it was being made.
        if (before != null)
        {
            to->Process->Table.Filters.Release(before);
        }
    }

    /// <summary>A thread ends.</summary>
    public void Leave(UserThread* thread)
    {
        Release(thread->Filters);
        thread->Filters = null;
    }

    /// <summary>True when a thread's filters are among another one's, so that it would lose none by those.</summary>
    public static bool MayReplace(UserThread* thread, UserThread* by)
    {
        SystemCallFilter* filter = by->Filters;
        while (filter != null && filter != thread->Filters)
        {
            filter = filter->Older;
        }

        return thread->FilterMode == FilterMode.Free || (thread->FilterMode == FilterMode.Filtered && filter != null);
    }

    /// <summary>How many filters a thread has (/proc/PID/status).</summary>
    public static ulong CountOf(UserThread* thread)
    {
        ulong count = 0;
        for (SystemCallFilter* filter = thread->Filters; filter != null; filter = filter->Older)
        {
            count++;
        }

        return count;
    }
}
