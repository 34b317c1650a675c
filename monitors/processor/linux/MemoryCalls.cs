// mmap and its relatives. The home memory component decides and keeps the truth (process/Spaces.cs sends, its reply is the new list of
// ranges); the resident lines follow what it has agreed to (excache/ExCache.Changes.cs), so a call that fails has changed nothing here.
// Errors in the order of Linux's mm/mmap.c. All BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about the address space.</summary>
public static unsafe class MemoryCalls
{
    private const ulong PageMask = PageOperations.PageSize - 1;

    private const ulong MapShared = 0x01;
    private const ulong MapTypeMask = 0x0F;
    private const ulong MapFixed = 0x10;
    private const ulong MapAnonymousBit = 0x20;
    private const ulong MapFixedNoReplace = 0x100000;
    private const ulong KnownProtection = 7;
    /// <summary>Largest file that mmap can think of (MAX_LFS_FILESIZE).</summary>
    private const ulong MaxFileBytes = long.MaxValue;

    private const uint MapPrivate = 2;
    private const uint MapGrowsDown = 0x100;
    private const ulong RemapMayMove = 1;
    private const ulong RemapFixed = 2;
    private const ulong RemapDontUnmap = 4;

    [SystemCall(9, "mmap", Support.Partial,
        "no MAP_GROWSDOWN; MAP_SYNC is EOPNOTSUPP, as without DAX; hints (MAP_POPULATE, MAP_LOCKED ...) without effect")]
    public static long Map(ref SystemCall call)
    {
        ulong address = call.A0;
        ulong length = call.A1;
        ulong offset = call.A5;
        // Bits of the protection that mean nothing are ignored (mmap(2) of Linux; mprotect refuses them).
        MapRequest request = new()
        {
            Address = address,
            Protection = (Protection)(call.A2 & KnownProtection),
            Flags = (uint)call.A3,
            Storage = call.Process->Place.Storage,
        };
        if ((offset & PageMask) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if ((request.Flags & MapAnonymousBit) == 0)
        {
            Errno found = MappedFiles.Describe(call.Process, (uint)call.A4, offset, ref request);
            if (found != Errno.None)
            {
                return SystemCall.Fail(found);
            }
        }

        ulong type = request.Flags & MapTypeMask;
        bool isFixed = (request.Flags & (MapFixed | MapFixedNoReplace)) != 0;
        bool isSharedStack = type != MapPrivate && (request.Flags & MapGrowsDown) != 0;
        if (length == 0 || type is < MapShared or > 3 || isSharedStack || (isFixed && (address & PageMask) != 0))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (length > UserMemory.Limit || (isFixed && address > UserMemory.Limit - RoundUp(length)))
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        length = RoundUp(length);
        bool isOfFile = request.File.Inode != 0 || (request.Flags & MapAnonymousBit) == 0;
        if (isOfFile && (offset > MaxFileBytes || length > MaxFileBytes - offset))
        {
            return SystemCall.Fail(Errno.EOVERFLOW);
        }

        request.Length = length;
        bool replaces = (request.Flags & MapFixed) != 0 && (request.Flags & MapFixedNoReplace) == 0;
        Errno error = MappedFiles.Hold(call.Process, (uint)call.A4, ref request, out ReadOnlySpan<byte> path);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        ulong replacedEnd = replaces ? address + length : address;
        error = call.Process->Table.Spaces.Replace(call.Process->Space, Opcode.Map, in request, path, address, replacedEnd, request.Backing,
            out ulong mapped);
        MappedFiles.Drop(call.Process, in request);
        return Answer(ref call, error, (long)mapped);
    }

    [SystemCall(11, "munmap", Support.Full)]
    public static long Unmap(ref SystemCall call)
    {
        if (!TryRange(call.A0, call.A1, out ulong end) || call.A1 == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return Answer(ref call, call.Process->Table.Spaces.Unmap(call.Process->Space, call.A0, end), 0);
    }

    [SystemCall(10, "mprotect", Support.Partial, "no PROT_GROWSDOWN, no protection keys")]
    public static long Protect(ref SystemCall call)
    {
        // PROT_SEM asks for nothing on x86.
        const ulong Semaphores = 8;
        ulong protection = call.A2 & ~Semaphores;
        if ((protection & ~KnownProtection) != 0 || (call.A0 & PageMask) != 0)
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

        RangeRequest request = new() { Address = call.A0, Length = end - call.A0, Protection = (Protection)protection };
        return Answer(ref call,
            call.Process->Table.Spaces.Change(call.Process->Space, Opcode.Protect, in request, default, call.A0, end, out _), 0);
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

        // Only the home knows where the heap begins. What it answers is the break as it is now, wherever that was asked to be.
        ExCache cache = call.Process->Table.Cache;
        using Scratch scratch = call.Process->Table.Scratch.Take();
        cache.BeginChange(space);
        // Read with the space taken: another thread may have moved it.
        ulong oldEnd = RoundUp(space->Break);
        ulong start = Math.Min(RoundUp(wanted), oldEnd);
        RangeRequest request = new() { Address = wanted };
        ulong reached = 0;
        ForkAdvices advices = call.Process->Table.Spaces.Advices;
        Errno error = advices.Reserve(space, ForkAdvices.ToForget, out AdvisedRange* spare);
        error = error != Errno.None ? error : cache.Leave(space, start, oldEnd);
        error = error != Errno.None ? error
            : call.Process->Table.Spaces.Request(space, space, Opcode.Break, in request, default, scratch.Reply, out reached);
        if (error == Errno.None)
        {
            space->Break = reached;
            cache.Drop(space, Math.Min(RoundUp(reached), oldEnd), oldEnd);
            advices.Forget(space, Math.Min(RoundUp(reached), oldEnd), oldEnd, ref spare);
        }

        advices.GiveBack(ref spare);
        cache.Settle(space, start, oldEnd);
        call.Process->Table.Spaces.EndChange(space);
        // brk(2) of the kernel has no error: it gives the unchanged break.
        return Answer(ref call, error == Errno.EPROTO ? error : Errno.None, (long)space->Break);
    }

    [SystemCall(25, "mremap", Support.Full)]
    public static long Remap(ref SystemCall call)
    {
        ulong from = call.A0;
        ulong oldLength = RoundUp(call.A1);
        ulong newLength = RoundUp(call.A2);
        ulong flags = call.A3;
        if ((flags & RemapDontUnmap) != 0)
        {
            return RemapAndKeep(ref call);
        }

        bool isFixed = (flags & RemapFixed) != 0;
        if ((flags & ~(RemapMayMove | RemapFixed)) != 0 || (isFixed && (flags & RemapMayMove) == 0) || newLength == 0
            || !TryRange(from, oldLength, out ulong end) || newLength > UserMemory.Limit
            || (isFixed
                && ((call.A4 & PageMask) != 0 || call.A4 > UserMemory.Limit - newLength || Overlaps(from, end, call.A4, newLength))))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = Move(call.Process, from, oldLength, newLength, call.A4, flags, out ulong to);
        return Answer(ref call, error, (long)to);
    }

    /// <summary>mremap with checked arguments. Of a shared mapping no bytes may be moved: it is then mapped once more.</summary>
    private static Errno Move(Process* process, ulong from, ulong oldLength, ulong newLength, ulong target, ulong flags, out ulong to)
    {
        to = 0;
        AddressSpace* space = process->Space;
        ExCache cache = process->Table.Cache;
        RemapRequest request = new()
        {
            OldAddress = from,
            OldLength = oldLength,
            NewLength = newLength,
            NewAddress = target,
            Flags = (uint)flags,
        };
        using Scratch scratch = process->Table.Scratch.Take();
        cache.BeginChange(space);
        ForkAdvices advices = process->Table.Spaces.Advices;
        Errno error = advices.Reserve(space, ForkAdvices.ToMove + ForkAdvices.ToForget, out AdvisedRange* spare);
        error = error != Errno.None ? error
            : Remap(process->Table, space, in request, (flags & RemapFixed) != 0, in scratch, out to);
        if (error == Errno.None)
        {
            ulong moved = Math.Min(oldLength, newLength);
            advices.Forget(space, from + moved, from + oldLength, ref spare);
            if (to != from)
            {
                advices.Move(space, from, moved, to, newLength, ref spare);
            }
            else if (newLength > oldLength)
            {
                ForkAdvices.Grow(space, from + oldLength, from + newLength);
            }
        }

        advices.GiveBack(ref spare);
        process->Table.Spaces.EndChange(space);
        return error;
    }

    /// <summary>
    /// MREMAP_DONTUNMAP: the pages move, and what they leave is as after mmap. It is one change of the space, so other threads that touch
    /// either place wait for its end. Unless it is fixed, the new address is where the program would like it.
    /// </summary>
    private static long RemapAndKeep(ref SystemCall call)
    {
        const ulong Known = RemapMayMove | RemapFixed | RemapDontUnmap;
        Process* process = call.Process;
        ulong from = call.A0;
        ulong length = RoundUp(call.A1);
        bool isWrong = (call.A3 & ~Known) != 0 || (call.A3 & RemapMayMove) == 0 || length != RoundUp(call.A2) || length == 0;
        if (isWrong || !TryRange(from, length, out ulong end)
            || (call.A4 & PageMask) != 0 || call.A4 > UserMemory.Limit - length || Overlaps(from, end, call.A4, length))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (!process->Space->TryFindRange(from, out VmaRecord range) || end > range.End)
        {
            return SystemCall.Fail(Errno.EFAULT);
        }

        if (range.Kind >= VmaKind.VdsoData)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = Move(process, from, length, length, call.A4, call.A3, out ulong to);
        return Answer(ref call, error, (long)to);
    }

    /// <summary>Maps private zeros, at an address where nothing is mapped, or anywhere (0).</summary>
    internal static Errno MapAnonymous(Process* process, ulong address, ulong length, Protection protection, out ulong mapped)
    {
        const ulong Private = 2;
        MapRequest request = new()
        {
            Address = address,
            Length = length,
            Protection = protection,
            Flags = (uint)(Private | MapAnonymousBit | (address == 0 ? 0 : MapFixed | MapFixedNoReplace)),
            Storage = process->Place.Storage,
        };
        return process->Table.Spaces.Replace(process->Space, Opcode.Map, in request, default, address, address, 0, out mapped);
    }

    [SystemCall(216, "remap_file_pages", Support.Partial, "what has been moved can be given no more access than it had")]
    public static long RemapFilePages(ref SystemCall call)
    {
        Process* process = call.Process;
        ulong start = call.A0 & ~PageMask;
        ulong length = call.A1 & ~PageMask;
        ulong end = start + length;
        if (call.A2 != 0 || end <= start || call.A3 + (length / PageOperations.PageSize) < call.A3)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        // Adjacent ranges are one if they are of the same file (remap_file_pages of Linux).
        bool isThere = process->Space->TryFindRange(start, out VmaRecord range) && range.Kind == VmaKind.SharedFile;
        for (VmaRecord next = range; isThere && next.End < end;)
        {
            isThere = process->Space->TryFindRange(next.End, out next) && next.Kind == range.Kind && next.Backing == range.Backing
                && next.Protection == range.Protection;
        }

        FileNode* found = isThere ? (FileNode*)process->Table.Backings.FileOf(range.Backing) : null;
        if (found == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        const ulong LastOffset = (ulong)long.MaxValue / PageOperations.PageSize;
        if (call.A3 > LastOffset)
        {
            return SystemCall.Fail(Errno.EOVERFLOW);
        }

        using NodeRef node = NodeRef.To(found);
        MapRequest request = new()
        {
            Address = start,
            Length = length,
            Protection = range.Protection,
            Allowed = range.Protection,
            Flags = (uint)(MapShared | MapFixed),
            FileOffset = call.A3 * PageOperations.PageSize,
        };
        Errno error = MappedFiles.HoldNode(process, node.Node, ref request, out ReadOnlySpan<byte> path);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        error = process->Table.Spaces.Replace(process->Space, Opcode.Map, in request, path, start, end, request.Backing, out _);
        MappedFiles.Drop(process, in request);
        return Answer(ref call, error, 0);
    }

    /// <summary>mremap of a space that is held.</summary>
    private static Errno Remap(Processes processes, AddressSpace* space, in RemapRequest request, bool isFixed, in Scratch scratch,
        out ulong to)
    {
        to = 0;
        ExCache cache = processes.Cache;
        ulong from = request.OldAddress;
        ulong moved = Math.Min(request.OldLength, request.NewLength);
        ulong end = from + request.OldLength;
        // Moved pages must be at their owner; those that shrinking cuts off need not.
        Errno error = cache.SurrenderShared(space, from, from + moved);
        error = error != Errno.None ? error : cache.WriteBack(space, from, from + moved, scratch.Request);
        if (error != Errno.None)
        {
            return error;
        }

        SpareFrames tables = new(processes.Frames);
        error = tables.Take(ExCache.TablesToMove(space, from, moved));
        if (error != Errno.None)
        {
            return error;
        }

        ulong target = isFixed ? request.NewAddress : 0;
        ulong targetEnd = isFixed ? target + request.NewLength : 0;
        error = cache.Leave(space, from + moved, end);
        error = error != Errno.None ? error : cache.Leave(space, target, targetEnd);
        error = error != Errno.None ? error
            : processes.Spaces.Request(space, space, Opcode.Remap, in request, default, scratch.Reply, out to);
        if (error == Errno.None)
        {
            cache.Drop(space, from + moved, end);
            cache.Drop(space, target, targetEnd);
            cache.WaitForFlights(space, from, from + moved);
        }
        else
        {
            cache.Settle(space, from, end);
            cache.Settle(space, target, targetEnd);
        }

        // Nothing runs between this and the move.
        tables.GiveBack();
        if (error == Errno.None && to != from)
        {
            cache.MoveStates(space, from, to, moved);
        }

        return error;
    }

    /// <summary>The result of a map call. A home that talks nonsense ends the process: what its ranges are is unknown.</summary>
    internal static long Answer(ref SystemCall call, Errno error, long value)
    {
        if (error == Errno.EPROTO)
        {
            Deaths.Kill(call.Process, "memory component "u8, call.Process->Space->Home,
                " gave an answer about its ranges that makes no sense"u8);
        }

        return SystemCall.Result(error, value);
    }

    /// <summary>
    /// The page-aligned end of a range in the user half; false when start is not aligned or the range leaves the user half.
    /// </summary>
    internal static bool TryRange(ulong start, ulong lengthBytes, out ulong end)
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
