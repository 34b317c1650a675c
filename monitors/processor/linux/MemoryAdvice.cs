// What programs say and ask about memory that is mapped already: madvise, msync, mincore, mlock. A call that cannot do what it is for
// fails; advice that asks for nothing that a program could see the lack of is taken note of. All BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about mapped memory.</summary>
public static unsafe class MemoryAdvice
{
    private const ulong PageMask = PageOperations.PageSize - 1;

    /// <summary>MADV_* of madvise(2).</summary>
    private enum Advice : ulong
    {
        Normal = 0,
        Random = 1,
        Sequential = 2,
        WillNeed = 3,
        DontNeed = 4,
        Free = 8,
        Remove = 9,
        DontFork = 10,
        DoFork = 11,
        Mergeable = 12,
        Unmergeable = 13,
        HugePage = 14,
        NoHugePage = 15,
        DontDump = 16,
        DoDump = 17,
        WipeOnFork = 18,
        KeepOnFork = 19,
        Cold = 20,
        PageOut = 21,
        PopulateRead = 22,
        PopulateWrite = 23,
        DontNeedLocked = 24,
    }

    [SystemCall(28, "madvise", Support.Partial, "MADV_DONTNEED, _DONTNEED_LOCKED, MADV_FREE (at once), MADV_REMOVE, and hints"
        + " that need nothing: NORMAL, RANDOM, SEQUENTIAL, WILLNEED, MERGEABLE, UNMERGEABLE, HUGEPAGE, NOHUGEPAGE, DONTDUMP, DODUMP, COLD,"
        + " PAGEOUT; MADV_POPULATE_READ, _WRITE, MADV_DONTFORK, _DOFORK, _WIPEONFORK, _KEEPONFORK;"
        + " all else is EINVAL")]
    public static long Advise(ref SystemCall call)
    {
        Errno error = Advise(call.Process, call.A0, call.A1, (Advice)call.A2);
        return MemoryCalls.Answer(ref call, error, 0);
    }

    [SystemCall(440, "process_madvise", Support.Partial, "as madvise; no PIDFD_SELF")]
    public static long AdviseProcess(ref SystemCall call)
    {
        Errno error = (uint)call.A4 != 0 ? Errno.EINVAL : IoVector.OfArray(call.Process, call.A1, call.A2, out _);
        Process* target = error != Errno.None ? null : ProcessDescriptorCalls.Find(ref call, out error);
        if (target == null)
        {
            return SystemCall.Fail(error);
        }

        Advice advice = (Advice)(uint)call.A3;
        bool isOwn = target->Space == call.Process->Space;
        bool isHarmless = advice is Advice.Cold or Advice.PageOut or Advice.WillNeed;
        error = target->Space == null ? Errno.ESRCH
            : !isOwn && !IdentityCalls.MayInspect(call.Process, target) ? Errno.EACCES
            : isOwn ? Errno.None
            : !isHarmless ? Errno.EINVAL
            : call.Process->EffectiveUserId != 0 ? Errno.EPERM : Errno.None;
        long done = 0;
        AddressSpace* space = target->Space;
        for (ulong index = 0; index < call.A2 && error == Errno.None; index++)
        {
            error = new UserPointer<IoSegment>(call.A1).ReadAt(call.Process, index, out IoSegment segment);
            // Of others' memory nothing is to be done but to see that it is there; they may have gone while that was read.
            target = isOwn || error != Errno.None ? call.Process : ProcessDescriptorCalls.Find(ref call, out error);
            error = error != Errno.None ? error
                : isOwn ? Advise(call.Process, segment.Address, segment.LengthBytes, advice)
                : target->Space != space ? Errno.ESRCH
                : !TryAdvisable(segment.Address, segment.LengthBytes, advice, out ulong end) ? Errno.EINVAL
                : IsMapped(space, segment.Address, end) ? Errno.None : Errno.ENOMEM;
            done += error == Errno.None ? (long)segment.LengthBytes : 0;
        }

        return MemoryCalls.Answer(ref call, done != 0 && error != Errno.EPROTO ? Errno.None : error, done);
    }

    /// <summary>False, EINVAL: not an advice, or not a range that begins with a page and does not wrap.</summary>
    private static bool TryAdvisable(ulong address, ulong lengthBytes, Advice advice, out ulong end)
    {
        bool isKnown = advice is <= Advice.DontNeed or Advice.Free or Advice.Remove or Advice.DontFork or Advice.DoFork
            or (>= Advice.Mergeable and <= Advice.DontNeedLocked);
        ulong length = (lengthBytes + PageMask) & ~PageMask;
        end = address + length;
        return isKnown && (address & PageMask) == 0 && length >= lengthBytes && end >= address;
    }

    private static Errno Advise(Process* process, ulong address, ulong lengthBytes, Advice advice)
    {
        if (!TryAdvisable(address, lengthBytes, advice, out ulong wantedEnd))
        {
            return Errno.EINVAL;
        }

        // Behind the last address that a program can have there is nothing mapped.
        ulong end = Math.Min(wantedEnd, UserMemory.Limit);
        Errno result = address != wantedEnd && end < wantedEnd ? Errno.ENOMEM : Errno.None;
        if (advice is Advice.PopulateRead or Advice.PopulateWrite)
        {
            MissAccess access = advice == Advice.PopulateRead ? MissAccess.Read : MissAccess.Write;
            Errno populated = Populate(process, address, end, access);
            return populated != Errno.None ? populated : result;
        }

        AddressSpace* space = process->Space;
        // Holes are skipped and reported in the end, as Linux's madvise_walk_vmas does.
        for (ulong start = address; start < end;)
        {
            if (!space->TryFindRange(start, out VmaRecord range))
            {
                result = Errno.ENOMEM;
                start = space->NextRangeStart(start, end);
                continue;
            }

            ulong stop = Math.Min(range.End, end);
            Errno error = AdvisePart(process, space, start, stop, advice, in range);
            if (error != Errno.None)
            {
                return error;
            }

            start = stop;
        }

        return result;
    }

    /// <summary>Advice on a part of one range. EINVAL: it is not for such a range; ENOMEM, EPROTO.</summary>
    private static Errno AdvisePart(
        Process* process, AddressSpace* space, ulong start, ulong stop, Advice advice, in VmaRecord range)
    {
        Spaces spaces = process->Table.Spaces;
        bool isOwnAnonymous = range.Backing == 0 && range.Kind is VmaKind.Anonymous or VmaKind.Stack;
        return advice switch
        {
            Advice.Free when range.Backing != 0 => Errno.EINVAL,
            Advice.Remove => MappedFiles.Remove(process, in range, start, stop),
            Advice.DontNeed or Advice.DontNeedLocked or Advice.Free => spaces.Empty(space, start, stop),
            Advice.DontFork or Advice.DoFork =>
                spaces.Advise(space, start, stop, ForkAdvice.Without, isOn: advice == Advice.DontFork),
            Advice.WipeOnFork when !isOwnAnonymous => Errno.EINVAL,
            Advice.WipeOnFork or Advice.KeepOnFork =>
                spaces.Advise(space, start, stop, ForkAdvice.Wiped, isOn: advice == Advice.WipeOnFork),
            _ => Errno.None,
        };
    }

    /// <summary>
    /// Brings pages in as if they were read or written (MADV_POPULATE_READ, _WRITE). ENOMEM: a hole; EINVAL: the access is not allowed;
    /// EFAULT: behind the end of a file; EINTR.
    /// </summary>
    private static Errno Populate(Process* process, ulong start, ulong end, MissAccess access)
    {
        Protection needed = access == MissAccess.Read ? Protection.Read : Protection.Write;
        for (ulong at = start; at < end; at += PageOperations.PageSize)
        {
            if (!process->Space->TryFindRange(at, out VmaRecord range))
            {
                return Errno.ENOMEM;
            }

            if ((range.Protection & needed) == 0)
            {
                return Errno.EINVAL;
            }

            Errno error = Signals.IsDying(UserThread.ActingFor(process)) ? Errno.EINTR : LineFaults.Pin(process, at, access, out _);
            if (error != Errno.None)
            {
                return error;
            }

            process->Table.Turns.Spend(PageOperations.PageSize);
        }

        return Errno.None;
    }

    [SystemCall(26, "msync", Support.Full)]
    public static long Synchronize(ref SystemCall call)
    {
        const ulong Asynchronous = 1;
        const ulong Synchronous = 4;
        const ulong Known = 7;
        bool both = (call.A2 & Asynchronous) != 0 && (call.A2 & Synchronous) != 0;
        if ((call.A2 & ~Known) != 0 || both || (call.A0 & PageMask) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (IsEmpty(call.A0, call.A1))
        {
            return 0;
        }

        if (!MemoryCalls.TryRange(call.A0, call.A1, out ulong end))
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        // Holes are skipped and reported in the end; what is written back in the background anyway needs no call (MS_ASYNC).
        Errno result = Errno.None;
        for (ulong start = call.A0; start < end;)
        {
            if (!call.Process->Space->TryFindRange(start, out VmaRecord range))
            {
                result = Errno.ENOMEM;
                start = call.Process->Space->NextRangeStart(start, end);
                continue;
            }

            ulong stop = Math.Min(range.End, end);
            Errno error = (call.A2 & Synchronous) == 0 ? Errno.None : MappedFiles.Store(call.Process, in range, start, stop);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            start = stop;
        }

        return SystemCall.Result(result);
    }

    [SystemCall(27, "mincore", Support.Partial, "resident means: in a line of this processor component, so that a touch costs no fault")]
    public static long InCore(ref SystemCall call)
    {
        if ((call.A0 & PageMask) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        AddressSpace* space = call.Process->Space;
        if (!MemoryCalls.TryRange(call.A0, call.A1, out ulong end) || !IsMapped(space, call.A0, end))
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        const int PieceBytes = 256;
        Span<byte> resident = stackalloc byte[PieceBytes];
        UserBuffer vector = new(call.A2, (end - call.A0) / PageOperations.PageSize);
        for (ulong done = 0; done < vector.LengthBytes; done += PieceBytes)
        {
            int piece = (int)Math.Min(PieceBytes, vector.LengthBytes - done);
            for (int index = 0; index < piece; index++)
            {
                ulong address = call.A0 + ((done + (ulong)index) * PageOperations.PageSize);
                ulong* entry = PageTable.Find(space->PageTableRoot, address);
                resident[index] = entry != null && PageState.IsPresent(*entry) ? (byte)1 : (byte)0;
            }

            if (vector.CopyOut(call.Process, done, resident.Slice(0, piece)) != Errno.None)
            {
                return SystemCall.Fail(Errno.EFAULT);
            }
        }

        return 0;
    }

    [SystemCall(149, "mlock", Support.Partial, "a rack's memory is never swapped; lines are evicted all the same, and VmLck stays 0")]
    public static long Lock(ref SystemCall call)
    {
        Errno error = CheckLocking(ref call, call.A1);
        return SystemCall.Result(error == Errno.None && !CanBeTouched(ref call) ? Errno.ENOMEM : error);
    }

    [SystemCall(325, "mlock2", Support.Partial, "as mlock")]
    public static long LockOnFault(ref SystemCall call)
    {
        const ulong OnFault = 1;
        return (call.A2 & ~OnFault) != 0 ? SystemCall.Fail(Errno.EINVAL)
            : (call.A2 & OnFault) != 0 ? SystemCall.Result(CheckLocking(ref call, call.A1))
            : Lock(ref call);
    }

    [SystemCall(151, "mlockall", Support.Partial, "as mlock")]
    public static long LockAll(ref SystemCall call)
    {
        const ulong OnFault = 4;
        const ulong Known = 7;
        return SystemCall.Result(call.A0 is 0 or OnFault || (call.A0 & ~Known) != 0 ? Errno.EINVAL : CheckLimit(call.Process, 0));
    }

    [SystemCall(152, "munlockall", Support.Full)]
    public static long UnlockAll(ref SystemCall call) => 0;

    [SystemCall(150, "munlock", Support.Full)]
    public static long Unlock(ref SystemCall call) => SystemCall.Result(CheckMapped(ref call));

    private static Errno CheckLocking(ref SystemCall call, ulong lengthBytes)
    {
        Errno error = CheckLimit(call.Process, IsEmpty(call.A0, lengthBytes) ? 0 : lengthBytes);
        return error != Errno.None ? error : CheckMapped(ref call);
    }

    /// <summary>EPERM: RLIMIT_MEMLOCK lets the caller lock nothing; ENOMEM: not so much.</summary>
    private static Errno CheckLimit(Process* process, ulong lengthBytes)
    {
        ulong limit = process->EffectiveUserId == 0 ? ulong.MaxValue : process->Limits[2 * ResourceLimit.LockedMemory];
        return limit == 0 ? Errno.EPERM : lengthBytes > limit ? Errno.ENOMEM : Errno.None;
    }

    private static Errno CheckMapped(ref SystemCall call)
    {
        ulong start = call.A0 & ~PageMask;
        bool mapped = IsEmpty(call.A0, call.A1)
            || (MemoryCalls.TryRange(start, call.A1 + (call.A0 - start), out ulong end) && IsMapped(call.Process->Space, start, end));
        return mapped ? Errno.None : Errno.ENOMEM;
    }

    /// <summary>A length that rounding up to pages makes 0, also one that goes round (PAGE_ALIGN): such a range has no page.</summary>
    private static bool IsEmpty(ulong address, ulong lengthBytes) =>
        ((lengthBytes + (address & PageMask) + PageMask) & ~PageMask) == 0;

    /// <summary>mlock brings the pages in, which fails where no access is allowed. The range is mapped.</summary>
    private static bool CanBeTouched(ref SystemCall call)
    {
        ulong end = IsEmpty(call.A0, call.A1) ? 0 : call.A0 + call.A1;
        for (ulong at = call.A0 & ~PageMask; at < end;)
        {
            if (!call.Process->Space->TryFindRange(at, out VmaRecord range) || range.Protection == Protection.None)
            {
                return false;
            }

            at = range.End;
        }

        return true;
    }

    private static bool IsMapped(AddressSpace* space, ulong start, ulong end)
    {
        while (start < end)
        {
            if (!space->TryFindRange(start, out VmaRecord range))
            {
                return false;
            }

            start = range.End;
        }

        return true;
    }
}
