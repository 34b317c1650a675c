// What madvise(2) has said about forks, of all address spaces of a component. It follows its pages: what is mapped anew has none, what
// mremap(2) moves takes it along, and a child has its parent's. Whoever changes ranges takes records beforehand (Reserve), so that a
// change that the home has agreed to does not fail for want of one; all of it under the space's map lock. Nothing here blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Advice of all spaces.</summary>
public sealed unsafe class ForkAdvices(FrameAllocator frames)
{
    /// <summary>Records that forgetting a range takes at most: it may lie in the middle of one of each advice.</summary>
    public const int ToForget = 2;

    /// <summary>The same of moving one over another.</summary>
    public const int ToMove = 6;

    private readonly Slab<AdvisedRange> _ranges = new(frames, IpcTable.MostOf(frames, sizeof(AdvisedRange)));

    /// <summary>Records that there are.</summary>
    public ulong Count => _ranges.InUse;

    /// <summary>Takes records for a change, in a list; none where there is no advice. ENOMEM.</summary>
    public Errno Reserve(AddressSpace* space, int count, out AdvisedRange* spare)
    {
        spare = null;
        for (int index = 0; index < count && space->Advised != null; index++)
        {
            AdvisedRange* one = _ranges.Allocate();
            if (one == null)
            {
                GiveBack(ref spare);
                return Errno.ENOMEM;
            }

            one->Next = spare;
            spare = one;
        }

        return Errno.None;
    }

    /// <summary>Frees what is left of a reserve.</summary>
    public void GiveBack(ref AdvisedRange* spare)
    {
        while (spare != null)
        {
            AdvisedRange* next = spare->Next;
            _ranges.Free(spare);
            spare = next;
        }
    }

    /// <summary>Gives [start, end) an advice, or takes it. ENOMEM: nothing was changed.</summary>
    public Errno Set(AddressSpace* space, ulong start, ulong end, ForkAdvice advice, bool isOn)
    {
        AdvisedRange* added = isOn ? _ranges.Allocate() : null;
        AdvisedRange* spare = null;
        Errno error = isOn && added == null ? Errno.ENOMEM : Reserve(space, ToForget, out spare);
        if (error != Errno.None)
        {
            if (added != null)
            {
                _ranges.Free(added);
            }

            return error;
        }

        Forget(space, start, end, advice, ref spare);
        GiveBack(ref spare);
        if (added != null)
        {
            *added = new AdvisedRange { Next = space->Advised, Start = start, End = end, Advice = advice };
            space->Advised = added;
        }

        return Errno.None;
    }

    /// <summary>[start, end) is mapped anew, or not at all.</summary>
    public void Forget(AddressSpace* space, ulong start, ulong end, ref AdvisedRange* spare)
    {
        Forget(space, start, end, ForkAdvice.Without, ref spare);
        Forget(space, start, end, ForkAdvice.Wiped, ref spare);
    }

    /// <summary>The pages of [from, from + movedBytes) are at another place, where their range may be longer.</summary>
    public void Move(AddressSpace* space, ulong from, ulong movedBytes, ulong to, ulong newBytes, ref AdvisedRange* spare)
    {
        Forget(space, to, to + newBytes, ref spare);
        for (AdvisedRange* range = space->Advised; range != null; range = range->Next)
        {
            ulong start = Math.Max(range->Start, from);
            ulong end = Math.Min(range->End, from + movedBytes);
            if (start >= end)
            {
                continue;
            }

            // What lies outside stays, in records of its own before this one, which the loop has passed.
            Keep(space, range->Start, start, range->Advice, ref spare);
            Keep(space, end, range->End, range->Advice, ref spare);
            range->Start = start - from + to;
            range->End = end == from + movedBytes ? to + newBytes : end - from + to;
        }
    }

    /// <summary>A range that ended somewhere is longer.</summary>
    public static void Grow(AddressSpace* space, ulong end, ulong newEnd)
    {
        for (AdvisedRange* range = space->Advised; range != null; range = range->Next)
        {
            range->End = range->End == end ? newEnd : range->End;
        }
    }

    /// <summary>A child's space has what its parent's has. ENOMEM.</summary>
    public Errno Copy(AddressSpace* from, AddressSpace* to)
    {
        for (AdvisedRange* range = from->Advised; range != null; range = range->Next)
        {
            AdvisedRange* copy = _ranges.Allocate();
            if (copy == null)
            {
                return Errno.ENOMEM;
            }

            *copy = *range;
            copy->Next = to->Advised;
            to->Advised = copy;
        }

        return Errno.None;
    }

    /// <summary>The first record of an advice, or null.</summary>
    public static AdvisedRange* Find(AdvisedRange* from, ForkAdvice advice)
    {
        while (from != null && from->Advice != advice)
        {
            from = from->Next;
        }

        return from;
    }

    /// <summary>The space ends.</summary>
    public void Clear(AddressSpace* space) => GiveBack(ref space->Advised);

    private static void Keep(AddressSpace* space, ulong start, ulong end, ForkAdvice advice, ref AdvisedRange* spare)
    {
        if (start < end)
        {
            AdvisedRange* kept = spare;
            spare = spare->Next;
            *kept = new AdvisedRange { Next = space->Advised, Start = start, End = end, Advice = advice };
            space->Advised = kept;
        }
    }

    private void Forget(AddressSpace* space, ulong start, ulong end, ForkAdvice advice, ref AdvisedRange* spare)
    {
        AdvisedRange* before = null;
        AdvisedRange* next;
        for (AdvisedRange* range = space->Advised; range != null; range = next)
        {
            next = range->Next;
            if (range->Advice != advice || !range->Overlaps(start, end))
            {
                before = range;
                continue;
            }

            if (range->Start < start && end < range->End)
            {
                Keep(space, end, range->End, advice, ref spare);
                range->End = start;
                return;
            }

            if (range->Start >= start && range->End <= end)
            {
                (before == null ? ref space->Advised : ref before->Next) = next;
                _ranges.Free(range);
                continue;
            }

            range->End = range->Start < start ? start : range->End;
            range->Start = range->Start < start ? range->Start : end;
            before = range;
        }
    }
}
