// Locks on files: flock, and fcntl's F_SETLK, F_SETLKW, F_GETLK with their F_OFD_ forms (flock(2), fcntl(2) "Advisory record locking").
// BLOCKS where it waits for a lock.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that lock files.</summary>
public static unsafe class LockCalls
{
    private const ulong GetLock = 5;
    private const ulong SetLockAndWait = 7;
    private const ulong GetOpenFileLock = 36;
    private const ulong SetOpenFileLockAndWait = 38;

    // Operations of flock(2).
    private const ulong Shared = 1;
    private const ulong Exclusive = 2;
    private const ulong NonBlocking = 4;
    private const ulong Unlock = 8;
    private const ulong Mandatory = 32;

    /// <summary>struct flock.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LockRecord
    {
        internal LockType Type;
        internal short Whence;
        internal int Padding;
        internal long Start;
        internal long LengthBytes;
        internal int ProcessId;
        internal int Tail;
    }

    [SystemCall(73, "flock", Support.Full)]
    internal static long Lock(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if ((call.A1 & Mandatory) != 0)
        {
            // Mandatory locks of other systems: Linux 5.15 took them out and ignores the request.
            return 0;
        }

        ulong operation = call.A1 & ~NonBlocking;
        if (operation is not (Shared or Exclusive or Unlock))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        FileLock wanted = new()
        {
            File = FileLocks.FileOf(descriptor.File),
            Owner = FileLocks.OwnerOf(descriptor.File),
            ProcessId = call.Process->Id,
            Type = operation == Shared ? LockType.Read : operation == Exclusive ? LockType.Write : LockType.Unlock,
            Family = LockFamily.Whole,
            Last = FileLock.EndOfFile,
        };
        if (call.Files.Locks.TryFindConflict(in wanted, out _))
        {
            // A lock is not converted in one step: the old one goes before the new one is waited for (flock(2)).
            call.Files.Locks.Release(in wanted.File, wanted.Owner, LockFamily.Whole);
        }

        return SystemCall.Result(FileLocks.Lock(call.Files.Locks, in wanted, (call.A1 & NonBlocking) == 0));
    }

    /// <summary>fcntl's commands about record locks. EBADF was checked.</summary>
    internal static long Control(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = new UserPointer<LockRecord>(call.A2).Read(call.Process, out LockRecord record);
        FileLock wanted = default;
        bool ofOpenFile = call.A1 >= GetOpenFileLock;
        if (error == Errno.None && ofOpenFile && record.ProcessId != 0)
        {
            error = Errno.EINVAL;
        }

        error = error == Errno.None ? RangeOf(call.Process, in descriptor, in record, out wanted) : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        wanted.File = FileLocks.FileOf(descriptor.File);
        wanted.Owner = ofOpenFile ? FileLocks.OwnerOf(descriptor.File) : FileTable.Of(call.Process)->Owner;
        wanted.ProcessId = ofOpenFile ? uint.MaxValue : call.Process->Id;
        if (call.A1 is GetLock or GetOpenFileLock)
        {
            return Tell(ref call, in wanted, ref record);
        }

        bool mayNot = (wanted.Type == LockType.Read && !descriptor.File->IsReadable)
            || (wanted.Type == LockType.Write && !descriptor.File->IsWritable);
        if (mayNot)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        error = FileLocks.Lock(call.Files.Locks, in wanted, call.A1 is SetLockAndWait or SetOpenFileLockAndWait);
        if (error == Errno.None && FileTable.Of(call.Process)->Find((uint)call.A0) != descriptor.File)
        {
            // Closed by somebody who shares the table while this call waited: the close did not see the lock.
            FileLocks.Closed(FileTable.Of(call.Process)->Owner, descriptor.File);
            error = Errno.EBADF;
        }

        return SystemCall.Result(error);
    }

    /// <summary>F_GETLK: the first lock in the way, or F_UNLCK in an otherwise unchanged record.</summary>
    private static long Tell(ref SystemCall call, in FileLock wanted, ref LockRecord record)
    {
        if (wanted.Type == LockType.Unlock && !wanted.Owner.IsOpenFile)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (wanted.Type != LockType.Unlock && call.Files.Locks.TryFindConflict(in wanted, out FileLock conflict))
        {
            record.Type = conflict.Type;
            record.Whence = (short)SeekOrigin.Start;
            record.Start = (long)conflict.First;
            record.LengthBytes = conflict.Last == FileLock.EndOfFile ? 0 : (long)(conflict.Last - conflict.First + 1);
            record.ProcessId = (int)conflict.ProcessId;
        }
        else
        {
            record.Type = LockType.Unlock;
        }

        return SystemCall.Result(new UserPointer<LockRecord>(call.A2).Write(call.Process, in record));
    }

    /// <summary>The bytes that a record means. EINVAL, EOVERFLOW (fcntl(2), l_len).</summary>
    private static Errno RangeOf(Process* process, in Descriptor descriptor, in LockRecord record, out FileLock wanted)
    {
        wanted = new FileLock { Type = record.Type };
        if (record.Type is not (LockType.Read or LockType.Write or LockType.Unlock))
        {
            return Errno.EINVAL;
        }

        long origin = 0;
        switch ((SeekOrigin)record.Whence)
        {
            case SeekOrigin.Start:
                break;
            case SeekOrigin.Current:
                origin = (long)descriptor.File->Offset;
                break;
            case SeekOrigin.End:
                Errno error = descriptor.Operations.Status(process, descriptor.File, out FileStatus status);
                if (error != Errno.None)
                {
                    return error;
                }

                origin = (long)status.Attributes.Size;
                break;
            default:
                return Errno.EINVAL;
        }

        if (record.Start > long.MaxValue - origin)
        {
            return Errno.EOVERFLOW;
        }

        long first = origin + record.Start;
        long last = long.MaxValue;
        if (record.LengthBytes > 0)
        {
            if (first >= 0 && record.LengthBytes - 1 > long.MaxValue - first)
            {
                return Errno.EOVERFLOW;
            }

            last = first + record.LengthBytes - 1;
        }
        else if (record.LengthBytes < 0)
        {
            last = first - 1;
            first += record.LengthBytes;
        }

        wanted.First = (ulong)first;
        wanted.Last = (ulong)last;
        return first < 0 ? Errno.EINVAL : Errno.None;
    }
}
