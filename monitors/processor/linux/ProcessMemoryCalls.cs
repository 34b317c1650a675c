// Copies between the memory of the caller and that of another process: process_vm_readv, process_vm_writev (process_vm_readv(2)). The other
// process may end meanwhile: its space is held, and nothing else of it is used once the copying has begun. BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that move bytes between processes.</summary>
public static unsafe class ProcessMemoryCalls
{
    private const int PieceBytes = 512;
    private const ulong MostSegments = 1024;

    private enum Direction : byte
    {
        FromOther,
        ToOther,
    }

    [SystemCall(310, "process_vm_readv", Support.Full)]
    internal static long Read(ref SystemCall call) => Copy(ref call, Direction.FromOther);

    [SystemCall(311, "process_vm_writev", Support.Full)]
    internal static long Write(ref SystemCall call) => Copy(ref call, Direction.ToOther);

    private static long Copy(ref SystemCall call, Direction direction)
    {
        if (call.A5 != 0 || call.A4 > MostSegments)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = IoVector.OfArray(call.Process, call.A1, call.A2, out IoVector own);
        // The array of the other side lies in the caller's memory, too; the addresses in it are judged when they are reached.
        bool isNothing = own.RemainingBytes == 0;
        bool isAnythingThere = false;
        for (ulong index = 0; index < call.A4 && error == Errno.None; index++)
        {
            error = new UserPointer<IoSegment>(call.A3).ReadAt(call.Process, index, out IoSegment segment);
            error = error == Errno.None && (long)segment.LengthBytes < 0 ? Errno.EINVAL : error;
            isAnythingThere |= segment.LengthBytes != 0;
        }

        // Nobody is looked for when nothing is to be copied.
        if (error != Errno.None || isNothing || !isAnythingThere)
        {
            return SystemCall.Result(error);
        }

        UserThread* thread = Visibility.FindThread(call.Process, (uint)call.A0);
        if (thread == null || thread->Process->Space == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (!IdentityCalls.MayInspect(call.Process, thread->Process))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        AddressSpace* space = thread->Process->Space;
        Spaces.Hold(space);
        long total = 0;
        for (ulong index = 0; index < call.A4 && own.RemainingBytes != 0 && error == Errno.None; index++)
        {
            error = new UserPointer<IoSegment>(call.A3).ReadAt(call.Process, index, out IoSegment segment);
            error = error == Errno.None ? CopySegment(call.Process, space, segment, direction, ref own, ref total) : error;
        }

        call.Process->Table.Spaces.Release(space);
        return total != 0 ? total : SystemCall.Result(error);
    }

    private static Errno CopySegment(
        Process* process, AddressSpace* space, IoSegment segment, Direction direction, ref IoVector own, ref long total)
    {
        Span<byte> piece = stackalloc byte[PieceBytes];
        Errno error = Errno.None;
        while (segment.LengthBytes != 0 && own.RemainingBytes != 0 && error == Errno.None)
        {
            if (Signals.IsDying(UserThread.ActingFor(process)))
            {
                return Errno.EINTR;
            }

            ulong inPage = PageOperations.PageSize - (segment.Address & (PageOperations.PageSize - 1));
            int length = (int)Math.Min(Math.Min(segment.LengthBytes, own.RemainingBytes), Math.Min(inPage, PieceBytes));
            Span<byte> part = piece.Slice(0, length);
            int moved = length;
            if (direction == Direction.FromOther)
            {
                error = LineFaults.CopyFromStranger(process->Table.Cache, space, segment.Address, part);
                moved = 0;
                error = error == Errno.None ? own.Give(part, out moved) : error;
            }
            else
            {
                error = own.Take(part, out moved);
                bool isWild = UserMemory.IsWild(segment.Address, (ulong)moved);
                bool arrives = !isWild && LineFaults.CopyToStranger(process, space, segment.Address, part.Slice(0, moved)) == Errno.None;
                moved = arrives ? moved : 0;
                error = arrives ? error : Errno.EFAULT;
            }

            segment.Address += (ulong)moved;
            segment.LengthBytes -= (ulong)moved;
            total += moved;
        }

        return error;
    }
}
