// What this component knows about a file that is in memory alone (MemoryObjects): behind MAP_SHARED | MAP_ANONYMOUS, memfd_create(2), an
// entry of /dev/shm or a System V segment. Its bytes and its size are at the memory component, like those of any file, and its node
// (FileNode) is used like any node: by open files, by mappings, and by whoever gives it a name. With the node's last reference the object
// ends.
//
// What holds, whenever the kernel lock is let go:
// * A seal that a call has set stays. What it forbids is over when the call returns: a write or another size that was checked before is
//   counted in _changes, which the call waits for, and a map call in Maps, which makes it EBUSY. Until it knows, while it holds Sealing,
//   the seal is tried on.
// * Times are this component's: stores into mappings leave them alone, as on Linux.
// Only WaitForChanges BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>F_SEAL_* of fcntl(2).</summary>
[Flags]
public enum FileSeals : uint
{
    None = 0,
    /// <summary>No more seals.</summary>
    Seal = 1,
    Shrink = 2,
    Grow = 4,
    Write = 8,
    /// <summary>As Write, but mappings that are writable already stay so.</summary>
    FutureWrite = 0x10,
    /// <summary>The execute bits stay as they are.</summary>
    Execute = 0x20,
    All = Seal | Shrink | Grow | Write | FutureWrite | Execute,
}

/// <summary>Attributes of a memory object.</summary>
public unsafe struct MemoryFile
{
    private const uint AnyExecute = 0x49;

    public SyntheticInode Attributes;
    public FileSeals Seals;
    /// <summary>Held by who adds seals.</summary>
    public SleepLock Sealing;
    /// <summary>Names in /dev/shm.</summary>
    public uint Links;
    /// <summary>It was made without a name in /dev/shm and may be given one (O_TMPFILE).</summary>
    public bool IsLinkable;
    /// <summary>The segment of System V that it is, or null.</summary>
    public SharedSegment* Segment;
    /// <summary>Map calls of it under way, whatever they ask for: some of them were checked against the seals.</summary>
    public uint Maps;
    private uint _changes;
    private WaitQueue _unchanging;
    /// <summary>When times were set; older writes do not count.</summary>
    private ulong _timesSetNs;

    /// <summary>True when nobody may write to it any more, by call or by a new mapping.</summary>
    public readonly bool IsWriteSealed => (Seals & (FileSeals.Write | FileSeals.FutureWrite)) != 0;

    /// <summary>A call that changes bytes or size begins, before it looks at the seals. Null: the file is none of memory.</summary>
    public static void BeginChange(MemoryFile* memory)
    {
        if (memory != null)
        {
            memory->_changes++;
        }
    }

    /// <summary>Ends <see cref="BeginChange"/>.</summary>
    public static void EndChange(MemoryFile* memory)
    {
        if (memory != null && --memory->_changes == 0)
        {
            memory->_unchanging.WakeAll();
        }
    }

    /// <summary>Waits until no change is under way. BLOCKS; the caller holds the node.</summary>
    public void WaitForChanges()
    {
        while (_changes != 0)
        {
            _unchanging.Wait();
        }
    }

    /// <summary>Completes what the memory component says: size, blocks, and the time of the last write.</summary>
    public readonly void Describe(ref FileStatus status)
    {
        ulong written = status.Attributes.ModifyTimeNs > _timesSetNs ? status.Attributes.ModifyTimeNs : 0;
        Attributes.Describe(ref status);
        status.Attributes.ModifyTimeNs = written != 0 ? written : status.Attributes.ModifyTimeNs;
        status.Attributes.ChangeTimeNs = Math.Max(status.Attributes.ChangeTimeNs, written);
        status.Attributes.Links = Links;
        status.Device = DeviceNumber.SharedMemory;
    }

    /// <summary>chmod, chown, utimensat. EPERM, also where a seal forbids it.</summary>
    public Errno Change(Process* process, in SetAttributesRequest request)
    {
        bool changesExecution = (request.Mask & AttributeMask.Mode) != 0 && ((request.Mode ^ Attributes.Permissions) & AnyExecute) != 0;
        if (changesExecution && (Seals & FileSeals.Execute) != 0)
        {
            return Errno.EPERM;
        }

        Errno error = Attributes.Change(process, in request);
        bool setsTime = (request.Mask & AttributeMask.ModifyTime) != 0;
        _timesSetNs = error == Errno.None && setsTime ? Clock.UnixTimeNs() : _timesSetNs;
        return error;
    }

    /// <summary>EPERM when a seal forbids bytes up to some offset of a file of some size to be written (memfd_create(2)).</summary>
    public readonly Errno CheckWrite(ulong to, ulong sizeBytes) =>
        IsWriteSealed || (to > sizeBytes && (Seals & FileSeals.Grow) != 0) ? Errno.EPERM : Errno.None;

    /// <summary>EPERM when a seal forbids another size.</summary>
    public readonly Errno CheckResize(ulong to, ulong sizeBytes)
    {
        FileSeals against = to < sizeBytes ? FileSeals.Shrink : to > sizeBytes ? FileSeals.Grow : FileSeals.None;
        return (Seals & against) != 0 ? Errno.EPERM : Errno.None;
    }

    /// <summary>A file that is sealed against execution and can be executed is sealed against all changes.</summary>
    public readonly FileSeals Implied(FileSeals seals)
    {
        const FileSeals AgainstChange = FileSeals.Shrink | FileSeals.Grow | FileSeals.Write | FileSeals.FutureWrite;
        bool runs = (Attributes.Permissions & AnyExecute) != 0;
        return (seals & FileSeals.Execute) != 0 && runs ? seals | AgainstChange : seals;
    }
}
