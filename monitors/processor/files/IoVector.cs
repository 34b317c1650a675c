// Where the bytes of a read or write lie: a program's buffer, its iovec array (readv(2)), or a kernel buffer (sendfile). Moves forward as
// bytes are given or taken. Copies to and from programs may BLOCK. Entries of an iovec array are read again as they are reached, so a
// program that changes its array meanwhile harms only itself.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct IoSegment
{
    public ulong Address;
    public ulong LengthBytes;
}

/// <summary>A cursor over the memory of one read or write. Of 64 bytes at most: what is longer is copied by a call.</summary>
public unsafe ref struct IoVector
{
    /// <summary>Most segments of one call (UIO_MAXIOV).</summary>
    private const ulong MaxSegments = 1024;

    /// <summary>Most bytes that one read or write moves (MAX_RW_COUNT).</summary>
    public const ulong MaxBytes = 0x7fff_f000;

    /// <summary>Null for a buffer of the kernel's own, where addresses are the kernel's.</summary>
    private readonly Process* _process;
    private ulong _address;
    private ulong _segmentBytes;
    private ulong _nextSegment;
    private uint _segmentsLeft;

    private IoVector(Process* process)
    {
        _process = process;
    }

    /// <summary>One buffer of a program.</summary>
    public IoVector(Process* process, ulong address, ulong lengthBytes)
    {
        _process = process;
        _address = address;
        _segmentBytes = Math.Min(lengthBytes, MaxBytes);
        RemainingBytes = _segmentBytes;
        IsWild = UserMemory.IsWild(address, lengthBytes);
    }

    /// <summary>
    /// Append, DataSync, NonBlocking: what the call asks for beyond the flags of the open file (pwritev2(2)); Linux's ki_flags.
    /// </summary>
    public OpenFlags Extra;

    /// <summary>Bytes that can still be moved.</summary>
    public ulong RemainingBytes { get; private set; }

    /// <summary>
    /// The range leaves the user half, whatever the call would move of it: EFAULT before anything moves (Linux' access_ok).
    /// </summary>
    public readonly bool IsWild { get; }

    /// <summary>A kernel buffer.</summary>
    public static IoVector OfKernel(byte* kernel, ulong lengthBytes) =>
        new(null) { _address = (ulong)kernel, _segmentBytes = lengthBytes, RemainingBytes = lengthBytes };

    /// <summary>An iovec array of a program, cut at MAX_RW_COUNT. EINVAL (too many or negative lengths), EFAULT.</summary>
    public static Errno OfArray(Process* process, ulong address, ulong count, out IoVector vector)
    {
        vector = new IoVector(process);
        if (count > MaxSegments)
        {
            return Errno.EINVAL;
        }

        ulong total = 0;
        bool isWild = false;
        for (ulong index = 0; index < count; index++)
        {
            Errno error = new UserPointer<IoSegment>(address).ReadAt(process, index, out IoSegment segment);
            if (error != Errno.None)
            {
                return error;
            }

            if ((long)segment.LengthBytes < 0)
            {
                return Errno.EINVAL;
            }

            isWild |= UserMemory.IsWild(segment.Address, segment.LengthBytes);
            total += Math.Min(segment.LengthBytes, MaxBytes);
        }

        if (isWild)
        {
            return Errno.EFAULT;
        }

        vector._nextSegment = address;
        vector._segmentsLeft = (uint)count;
        vector.RemainingBytes = Math.Min(total, MaxBytes);
        return Errno.None;
    }

    /// <summary>Copies to the buffers; <paramref name="movedBytes"/> counts what arrived before an error. EFAULT.</summary>
    public Errno Give(scoped ReadOnlySpan<byte> from, out int movedBytes)
    {
        fixed (byte* bytes = from)
        {
            return Move(bytes, from.Length, MissAccess.Write, out movedBytes);
        }
    }

    /// <summary>Copies from the buffers. EFAULT.</summary>
    public Errno Take(scoped Span<byte> to, out int movedBytes)
    {
        fixed (byte* bytes = to)
        {
            return Move(bytes, to.Length, MissAccess.Read, out movedBytes);
        }
    }

    /// <summary>
    /// Where the next bytes go, or come from, for a caller that moves up to <paramref name="roomBytes"/> before it blocks and then calls
    /// <see cref="Advance"/>. EFAULT. BLOCKS before it answers.
    /// </summary>
    public Errno Reserve(MissAccess access, out byte* at, out ulong roomBytes)
    {
        at = (byte*)_address;
        roomBytes = 0;
        Errno error = NextSegment();
        if (error != Errno.None)
        {
            return error;
        }

        roomBytes = _segmentBytes;
        if (_process == null)
        {
            return Errno.None;
        }

        if (_address >= UserMemory.Limit || _segmentBytes > UserMemory.Limit - _address)
        {
            return Errno.EFAULT;
        }

        roomBytes = Math.Min(roomBytes, UserMemory.RestOfPage(_address));
        _process->Table.Turns.Spend(roomBytes);
        error = LineFaults.Pin(_process, _address, access, out byte* line);
        at = line + (_address & (PageOperations.PageSize - 1));
        return error;
    }

    /// <summary>
    /// As <see cref="Reserve"/>, but does not block: what the caller has found before is still so. False: only Reserve can tell. The caller
    /// has spent its turn (<see cref="SpendTurn"/>).
    /// </summary>
    public readonly bool TryReserve(MissAccess access, out byte* at, out ulong roomBytes)
    {
        at = (byte*)_address;
        roomBytes = _segmentBytes;
        if (_process == null || _segmentBytes == 0)
        {
            return _segmentBytes != 0;
        }

        roomBytes = Math.Min(_segmentBytes, UserMemory.RestOfPage(_address));
        return !UserMemory.IsWild(_address, _segmentBytes) && UserMemory.TryFind(_process, _address, access, out at);
    }

    /// <summary>
    /// Where all that is left comes from, if it is one segment in one page of the program or in two, and they are there. Does not block, as
    /// <see cref="TryReserve"/>.
    /// </summary>
    public readonly bool TryReserveAll(MissAccess access, out SplitBytes bytes)
    {
        bytes = default;
        if (_segmentBytes != RemainingBytes || !TryReserve(access, out byte* head, out ulong headBytes))
        {
            return false;
        }

        ulong tailBytes = RemainingBytes - headBytes;
        byte* tail = null;
        if (tailBytes > PageOperations.PageSize
            || (tailBytes != 0 && !UserMemory.TryFind(_process, _address + headBytes, access, out tail)))
        {
            return false;
        }

        bytes = new SplitBytes(new ReadOnlySpan<byte>(head, (int)headBytes), new ReadOnlySpan<byte>(tail, (int)tailBytes));
        return true;
    }

    /// <summary>So many bytes are about to be moved by those that do not block. BLOCKS when the turn is over.</summary>
    public readonly void SpendTurn(ulong lengthBytes)
    {
        if (_process != null)
        {
            _process->Table.Turns.Spend(lengthBytes);
        }
    }

    /// <summary>So many bytes were moved where <see cref="Reserve"/> said.</summary>
    public void Advance(ulong lengthBytes)
    {
        _address += lengthBytes;
        _segmentBytes -= lengthBytes;
        RemainingBytes -= lengthBytes;
    }

    private Errno Move(byte* bytes, int lengthBytes, MissAccess access, out int movedBytes)
    {
        // The usual case, cut short: it saves 40 of the instructions that a read of one byte takes.
        if (_process == null || (ulong)lengthBytes > _segmentBytes)
        {
            return MoveSegments(bytes, lengthBytes, access, out movedBytes);
        }

        Errno error = UserMemory.Copy(_process, _address, bytes, (ulong)lengthBytes, access, out ulong copied);
        Advance(copied);
        movedBytes = (int)copied;
        return error;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno MoveSegments(byte* bytes, int lengthBytes, MissAccess access, out int movedBytes)
    {
        int moved = 0;
        Errno error = Errno.None;
        while (error == Errno.None && moved < lengthBytes && RemainingBytes != 0)
        {
            error = NextSegment();
            ulong chunk = Math.Min(_segmentBytes, (ulong)(lengthBytes - moved));
            ulong copied = chunk;
            if (_process != null)
            {
                error = error != Errno.None ? error : UserMemory.Copy(_process, _address, bytes + moved, chunk, access, out copied);
            }
            else if (access == MissAccess.Write)
            {
                PageOperations.CopyBytes((byte*)_address, bytes + moved, chunk);
            }
            else
            {
                PageOperations.CopyBytes(bytes + moved, (byte*)_address, chunk);
            }

            Advance(copied);
            moved += (int)copied;
        }

        movedBytes = moved;
        return error;
    }

    /// <summary>There are bytes in the segment, or the next one that has some is taken. EFAULT.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Errno NextSegment() => _segmentBytes != 0 ? Errno.None : TakeSegment();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno TakeSegment()
    {
        while (_segmentBytes == 0 && _segmentsLeft != 0)
        {
            Errno error = new UserPointer<IoSegment>(_nextSegment).Read(_process, out IoSegment segment);
            if (error != Errno.None)
            {
                return error;
            }

            _address = segment.Address;
            _segmentBytes = Math.Min(segment.LengthBytes, RemainingBytes);
            _nextSegment += (ulong)sizeof(IoSegment);
            _segmentsLeft--;
        }

        return _segmentBytes == 0 ? Errno.EFAULT : Errno.None;
    }
}
