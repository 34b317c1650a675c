// mmap and its relatives. The home memory component decides and keeps the truth (process/Spaces.cs sends, its reply is the new list of ranges); here the
// resident lines follow: what ceases to exist is dropped before the message, because lines of an unknown range could no longer be written
// back; new permissions are applied after it. All BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about the address space.</summary>
public static unsafe class MemoryCalls
{
    private const ulong PageMask = PageOperations.PageSize - 1;

    private const ulong MapShared = 0x01;
    private const ulong MapPrivate = 0x02;
    private const ulong MapTypeMask = 0x0F;
    private const ulong MapFixed = 0x10;
    private const ulong MapAnonymous = 0x20;
    private const ulong MapFixedNoReplace = 0x100000;
    private const ulong KnownProtection = 7;
    private const ulong ProtectionGrowsDown = 0x01000000;

    private const ulong RemapMayMove = 1;
    private const ulong RemapFixed = 2;

    private enum Advice : ulong
    {
        Normal = 0,
        Random = 1,
        Sequential = 2,
        WillNeed = 3,
        DontNeed = 4,
        Free = 8,
        DontFork = 10,
        DoFork = 11,
        Mergeable = 12,
        Unmergeable = 13,
        HugePage = 14,
        NoHugePage = 15,
        DontDump = 16,
        DoDump = 17,
        Cold = 20,
        PageOut = 21,
    }

    [SystemCall(9, "mmap", Support.Partial, "MAP_SHARED mappings are private to the process: changes reach neither the file nor other processes")]
    public static long Map(ref SystemCall call)
    {
        ulong address = call.A0;
        ulong length = call.A1;
        ulong flags = call.A3;
        ulong type = flags & MapTypeMask;
        if (length == 0 || (call.A2 & ~KnownProtection) != 0 || type is < MapShared or > 3)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (length > UserMemory.Limit)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        length = RoundUp(length);
        bool isFixed = (flags & (MapFixed | MapFixedNoReplace)) != 0;
        if (isFixed && ((address & PageMask) != 0 || address > UserMemory.Limit - length))
        {
            return SystemCall.Fail((address & PageMask) != 0 ? Errno.EINVAL : Errno.ENOMEM);
        }

        MapRequest request = new()
        {
            Address = address,
            Length = length,
            Protection = (Protection)call.A2,
            Flags = (uint)flags,
            Storage = call.Process->Place.Storage,
        };
        ReadOnlySpan<byte> path = default;
        if ((flags & MapAnonymous) == 0)
        {
            Errno found = MappedFiles.Describe(call.Process, (uint)call.A4, call.A5, ref request, out path);
            if (found != Errno.None)
            {
                return SystemCall.Fail(found);
            }
        }

        AddressSpace* space = call.Process->Space;
        if ((flags & MapFixed) != 0 && (flags & MapFixedNoReplace) == 0)
        {
            ProcessorMonitor.Instance.ExCache.Drop(space, address, address + length);
        }

        Errno error = Spaces.Request(space, Opcode.Map, in request, path, out ulong mapped);
        return SystemCall.Result(error, (long)mapped);
    }

    [SystemCall(11, "munmap", Support.Full)]
    public static long Unmap(ref SystemCall call)
    {
        if (!TryRange(call.A0, call.A1, out ulong end) || call.A1 == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        AddressSpace* space = call.Process->Space;
        ProcessorMonitor.Instance.ExCache.Drop(space, call.A0, end);
        RangeRequest request = new() { Address = call.A0, Length = end - call.A0 };
        return SystemCall.Result(Spaces.Request(space, Opcode.Unmap, in request, default, out _));
    }

    [SystemCall(10, "mprotect", Support.Partial, "no PROT_GROWSDOWN, no protection keys")]
    public static long Protect(ref SystemCall call)
    {
        if ((call.A2 & ~KnownProtection) != 0 || (call.A0 & PageMask) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (call.A1 == 0)
        {
            return 0;
        }

        if (!TryRange(call.A0, call.A1, out ulong end))
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        AddressSpace* space = call.Process->Space;
        RangeRequest request = new() { Address = call.A0, Length = end - call.A0, Protection = (Protection)call.A2 };
        Errno error = Spaces.Request(space, Opcode.Protect, in request, default, out _);
        if (error == Errno.None)
        {
            ProcessorMonitor.Instance.ExCache.Protect(space, call.A0, end, (Protection)call.A2);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(12, "brk", Support.Full)]
    public static long Break(ref SystemCall call)
    {
        AddressSpace* space = call.Process->Space;
        ulong wanted = call.A0;
        if (wanted == 0 || wanted == space->Break || wanted >= UserMemory.Limit)
        {
            return (long)space->Break;
        }

        if (RoundUp(wanted) < RoundUp(space->Break))
        {
            ProcessorMonitor.Instance.ExCache.Drop(space, RoundUp(wanted), RoundUp(space->Break));
        }

        RangeRequest request = new() { Address = wanted };
        Errno error = Spaces.Request(space, Opcode.Break, in request, default, out ulong reached);
        if (error == Errno.None)
        {
            space->Break = reached;
        }
        // brk(2) of the kernel has no error: it gives the unchanged break.
        return (long)space->Break;
    }

    [SystemCall(25, "mremap", Support.Partial, "no MREMAP_DONTUNMAP")]
    public static long Remap(ref SystemCall call)
    {
        ulong from = call.A0;
        ulong oldLength = RoundUp(call.A1);
        ulong newLength = RoundUp(call.A2);
        ulong flags = call.A3;
        bool isFixed = (flags & RemapFixed) != 0;
        if ((flags & ~(RemapMayMove | RemapFixed)) != 0 || (isFixed && (flags & RemapMayMove) == 0) || newLength == 0 || oldLength == 0
            || !TryRange(from, oldLength, out ulong end) || newLength > UserMemory.Limit
            || (isFixed && ((call.A4 & PageMask) != 0 || call.A4 > UserMemory.Limit - newLength || Overlaps(from, end, call.A4, newLength))))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        AddressSpace* space = call.Process->Space;
        ExCache cache = ProcessorMonitor.Instance.ExCache;
        using Scratch scratch = ScratchBuffers.Take();
        // Moved pages must be at their owner; those that shrinking cuts off need not.
        Errno error = cache.WriteBack(space, from, from + Math.Min(oldLength, newLength), scratch.Request);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (newLength < oldLength)
        {
            cache.Drop(space, from + newLength, end);
        }

        if (isFixed)
        {
            cache.Drop(space, call.A4, call.A4 + newLength);
        }

        RemapRequest request = new()
        {
            OldAddress = from,
            OldLength = oldLength,
            NewLength = newLength,
            NewAddress = call.A4,
            Flags = (uint)flags,
        };
        error = Spaces.Request(space, space, Opcode.Remap, in request, default, scratch.Reply, out ulong to);
        if (error == Errno.None && to != from)
        {
            error = cache.MoveStates(space, from, to, Math.Min(oldLength, newLength));
        }

        return SystemCall.Result(error, (long)to);
    }

    [SystemCall(28, "madvise", Support.Partial, "MADV_DONTNEED and MADV_FREE of anonymous memory; other advice is accepted without effect")]
    public static long Advise(ref SystemCall call)
    {
        if (!TryRange(call.A0, call.A1, out ulong end))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch ((Advice)call.A2)
        {
            case Advice.DontNeed:
            case Advice.Free:
                return SystemCall.Result(Forget(call.Process->Space, call.A0, end));
            case <= Advice.WillNeed:
            case >= Advice.DontFork and <= Advice.DoDump:
            case Advice.Cold:
            case Advice.PageOut:
                return 0;
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    [SystemCall(26, "msync", Support.Stub, "mappings are private, so there is nothing to write")]
    public static long Synchronize(ref SystemCall call)
    {
        const ulong Asynchronous = 1;
        const ulong Synchronous = 4;
        const ulong Known = 7;
        bool both = (call.A2 & Asynchronous) != 0 && (call.A2 & Synchronous) != 0;
        if ((call.A2 & ~Known) != 0 || both || !TryRange(call.A0, call.A1, out ulong end))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return IsMapped(call.Process->Space, call.A0, end) ? 0 : SystemCall.Fail(Errno.ENOMEM);
    }

    [SystemCall(27, "mincore", Support.Stub, "every mapped page counts as resident: none is ever on a disk")]
    public static long InCore(ref SystemCall call)
    {
        if ((call.A0 & PageMask) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (!TryRange(call.A0, call.A1, out ulong end) || !IsMapped(call.Process->Space, call.A0, end))
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        const int PieceBytes = 256;
        Span<byte> resident = stackalloc byte[PieceBytes];
        resident.Fill(1);
        UserBuffer vector = new(call.A2, (end - call.A0) / PageOperations.PageSize);
        for (ulong done = 0; done < vector.LengthBytes; done += PieceBytes)
        {
            int piece = (int)Math.Min(PieceBytes, vector.LengthBytes - done);
            if (vector.CopyOut(call.Process, done, resident.Slice(0, piece)) != Errno.None)
            {
                return SystemCall.Fail(Errno.EFAULT);
            }
        }

        return 0;
    }

    [SystemCall(149, "mlock", Support.Stub, "accepted: lines may still be evicted")]
    public static long Lock(ref SystemCall call) => CheckMapped(ref call);

    [SystemCall(150, "munlock", Support.Stub, "accepted")]
    public static long Unlock(ref SystemCall call) => CheckMapped(ref call);

    private static long CheckMapped(ref SystemCall call)
    {
        ulong start = call.A0 & ~PageMask;
        bool mapped = TryRange(start, call.A1 + (call.A0 - start), out ulong end) && IsMapped(call.Process->Space, start, end);
        return mapped ? 0 : SystemCall.Fail(Errno.ENOMEM);
    }

    /// <summary>
    /// MADV_DONTNEED: anonymous pages read as zeros again. Pages that only this component knows are dropped; where the owner has some, the part of
    /// the range is mapped anew.
    /// </summary>
    private static Errno Forget(AddressSpace* space, ulong start, ulong end)
    {
        ExCache cache = ProcessorMonitor.Instance.ExCache;
        while (start < end)
        {
            if (!space->TryFindRange(start, out VmaRecord range))
            {
                return Errno.ENOMEM;
            }

            ulong stop = Math.Min(range.End, end);
            if (range.Kind == VmaKind.Anonymous)
            {
                bool remote = cache.AnyRemote(space, start, stop);
                cache.Drop(space, start, stop);
                if (remote)
                {
                    MapRequest request = new()
                    {
                        Address = start,
                        Length = stop - start,
                        Protection = range.Protection,
                        Flags = (uint)(MapFixed | MapAnonymous | MapPrivate),
                    };
                    Errno error = Spaces.Request(space, Opcode.Map, in request, default, out _);
                    if (error != Errno.None)
                    {
                        return error;
                    }
                }
            }

            start = stop;
        }

        return Errno.None;
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

    /// <summary>The page-aligned end of a range in the user half; false when start is not aligned or the range leaves the user half.</summary>
    private static bool TryRange(ulong start, ulong lengthBytes, out ulong end)
    {
        end = 0;
        if ((start & PageMask) != 0 || start > UserMemory.Limit || lengthBytes > UserMemory.Limit - start)
        {
            return false;
        }

        end = start + RoundUp(lengthBytes);
        return true;
    }

    private static bool Overlaps(ulong start, ulong end, ulong other, ulong otherLength) => other < end && start < other + otherLength;

    private static ulong RoundUp(ulong value) => (value + PageMask) & ~PageMask;
}
