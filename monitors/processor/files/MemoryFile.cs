// What this component knows about a file that is in memory alone (MemoryObjects): behind MAP_SHARED | MAP_ANONYMOUS, memfd_create(2), an entry of
// /dev/shm or a System V segment. Its bytes and its size are at the memory component, like those of any file, and its node (FileNode) is used like
// any node: by open files, by mappings, and by whoever gives it a name. With the node's last reference the object ends. Never blocks.

using System;
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
    public SyntheticInode Attributes;
    public FileSeals Seals;
    /// <summary>Names in /dev/shm: 1 or 0.</summary>
    public uint Links;

    /// <summary>True when nobody may write to it any more, by call or by a new mapping.</summary>
    public readonly bool IsWriteSealed => (Seals & (FileSeals.Write | FileSeals.FutureWrite)) != 0;

    /// <summary>Completes what the memory component says: size, blocks, and the time of the last write.</summary>
    public readonly void Describe(ref FileStatus status)
    {
        ulong written = status.Attributes.ModifyTimeNs;
        Attributes.Describe(ref status);
        status.Attributes.ModifyTimeNs = Math.Max(status.Attributes.ModifyTimeNs, written);
        status.Attributes.ChangeTimeNs = Math.Max(status.Attributes.ChangeTimeNs, written);
        status.Attributes.Links = Links;
        status.Device = DeviceNumber.SharedMemory;
    }

    /// <summary>EPERM when a seal forbids bytes in [from, to) of a file of some size to be written (memfd_create(2)).</summary>
    public readonly Errno CheckWrite(ulong to, ulong sizeBytes) =>
        IsWriteSealed || (to > sizeBytes && (Seals & FileSeals.Grow) != 0) ? Errno.EPERM : Errno.None;

    /// <summary>EPERM when a seal forbids another size.</summary>
    public readonly Errno CheckResize(ulong to, ulong sizeBytes)
    {
        FileSeals against = to < sizeBytes ? FileSeals.Shrink : to > sizeBytes ? FileSeals.Grow : FileSeals.None;
        return (Seals & against) != 0 ? Errno.EPERM : Errno.None;
    }
}
