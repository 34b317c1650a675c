// Locks on open files: names files and owners for the lock table, waits for locks, and drops what a close drops. A process loses its record
// locks on a file with the first descriptor of it that it closes; an open file description loses its own with its last (fcntl(2),
// flock(2)). Only Lock BLOCKS; a signal ends the wait.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Locks of open files.</summary>
public static unsafe class FileLocks
{
    // Spaces of files that are on no volume, above all numbers of components.
    private const uint PipeSpace = 0x1_0000;
    private const uint StreamSpace = 0x2_0000;
    private const uint PseudoSpace = 0x3_0000;
    private const uint SocketSpace = 0x4_0000;

    /// <summary>The file that an open file is about.</summary>
    public static LockedFile FileOf(OpenFile* file)
    {
        if (file->Node != null)
        {
            return new LockedFile(file->Node->Place.Storage, file->Node->Handle);
        }

        return file->Kind switch
        {
            FileKind.Pipe => new LockedFile(PipeSpace, new FileHandle { Inode = file->Pipe->Inode }),
            FileKind.StandardStream => new LockedFile(StreamSpace, new FileHandle { Inode = file->Session->Id, Generation = file->Stream }),
            FileKind.Socket => new LockedFile(
                SocketSpace, new FileHandle { Inode = (uint)(ulong)file->Socket, Generation = (uint)((ulong)file->Socket >> 32) }),
            // What has no inode of its own shares one (Linux's anonymous inode).
            _ => new LockedFile(PseudoSpace, new FileHandle { Inode = PseudoTree.InodeOf(file->Pseudo) }),
        };
    }

    /// <summary>An open file description as an owner.</summary>
    public static LockOwner OwnerOf(OpenFile* file) => new((ulong)file, isOpenFile: true);

    /// <summary>Sets a lock. EAGAIN, or with <paramref name="waits"/> EDEADLK and EINTR; ENOLCK.</summary>
    public static Errno Lock(LockTable locks, in FileLock wanted, bool waits)
    {
        while (wanted.Type != LockType.Unlock && locks.TryFindConflict(in wanted, out FileLock conflict))
        {
            if (!waits)
            {
                return Errno.EAGAIN;
            }

            LockTable.Waiter waiter = default;
            Errno error = locks.BeginWait(&waiter, wanted.Owner, conflict.Owner);
            if (error != Errno.None)
            {
                return error;
            }

            error = Signals.Wait(ref locks.Changed);
            locks.EndWait(&waiter);
            if (error != Errno.None)
            {
                return error;
            }
        }

        return locks.Set(wanted);
    }

    /// <summary>A descriptor of a table was closed.</summary>
    public static void Closed(LockOwner table, OpenFile* file)
    {
        LockTable locks = file->Operations.Files.Locks;
        if (locks.Count != 0)
        {
            locks.Release(FileOf(file), table, LockFamily.Record);
        }
    }

    /// <summary>The last reference to an open file is gone.</summary>
    public static void Closed(OpenFile* file)
    {
        LockTable locks = file->Operations.Files.Locks;
        if (locks.Count != 0)
        {
            LockedFile locked = FileOf(file);
            locks.Release(in locked, OwnerOf(file), LockFamily.Record);
            locks.Release(in locked, OwnerOf(file), LockFamily.Whole);
        }
    }
}
