// Messages about the contents of files: a processor component sends them to the file's memory component, whose file cache answers from
// memory or asks the storage component (StorageMessages.cs). Every request carries the full path and an absolute offset, and the file
// handle that Open returned; a target keeps no state about who has what open.
//
// FileRead      FileRequest + path                 reply: the bytes (fewer at end of file; at most FileRequest.MaxTransfer)
// FileWrite     FileRequest + path + bytes         reply FileWriteReply
// FileSync      FileRequest + path                 reply u32, also with an error: the number of the last failure of a write-back; the
//                                                  caller passes it as Length the next time, so that each open file hears of each failure
//                                                  once (0 = knows of none). All written bytes are on the storage component's
//                                                  device (or, with FileWriteFlags.NoDevice, have at least been handed to the
//                                                  storage component); Handle 0 and PathLength 0 = of all files
// FileTruncate  FileRequest + path (Offset = new size)      reply empty
// FileStatus    FileRequest + path                 reply FileAttributes: as stored, with the cache's newer size and times; of a memory
// object
//                                                  size, blocks, the time of the last write, and as Links the mappings that may write to it
// FileForget    FileRequest + path                 reply empty: the file is gone, its cached pages are dropped without write-back

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>
/// Objects of memory alone, behind MAP_SHARED | MAP_ANONYMOUS, memfd_create, POSIX and System V shared memory: files without a volume. They
/// are named like files, with this storage component, which no node is; the inode begins with the node of the processor component that has
/// made the object, and the object ends with FileForget and its last mapping, or with that component. The first request that names one
/// makes it, empty.
/// </summary>
public static class MemoryObjects
{
    /// <summary>FileRequest.Storage and MapRequest.Storage of a memory object.</summary>
    public const ushort Storage = 0;

    /// <summary>An inode is its maker's node shifted so far, and a number.</summary>
    public const int NodeShift = 24;
}

/// <summary>
/// Names a file for as long as it exists: inode number and generation on one volume (the NFS file handle). Zero = by path only.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FileHandle
{
    public uint Inode;
    public uint Generation;
}

/// <summary>A request about one file's bytes; the path (PathLength bytes, no terminator) follows, then any data.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FileRequest
{
    /// <summary>Most bytes that one FileRead or FileWrite (or StorageRead or StorageWrite) moves.</summary>
    public const int MaxTransfer = 56 * 1024;

    public FileHandle Handle;
    public ulong Offset;
    public uint Length;
    /// <summary>Storage component that holds the volume.</summary>
    public ushort Storage;
    public ushort PathLength;
    public FileWriteFlags Flags;
    /// <summary>The processor component whose program asks, 0 = none. Status requests: it remembers the answer (LeaseMessages.cs).
    /// FileWrite, FileTruncate, StorageTruncate: it knows of the change, so that it need not be called back.</summary>
    public ushort For;
    public ushort Reserved;
    /// <summary>FileWrite, FileTruncate, StorageWrite, StorageTruncate: what the clock of the program's component said at its call, to be
    /// recorded as the time of modification, nanoseconds since the epoch; 0 = the target's own clock, now. Elsewhere 0.</summary>
    public ulong ModifyTimeNs;
}

[System.Flags]
public enum FileWriteFlags : uint
{
    None = 0,
    /// <summary>Write at the end of the file, whatever Offset says (O_APPEND).</summary>
    Append = 1,
    /// <summary>The reply means that the bytes are on the device (O_SYNC).</summary>
    Synchronous = 2,
    /// <summary>FileSync: write dirty bytes back, no device flush. A processor component sends it before it changes a file's times at the
    /// storage component (utimensat), so that a later write-back cannot overwrite them; inline and free for a clean file.</summary>
    NoDevice = 4,
    /// <summary>
    /// StorageWrite: the bytes take the space that the sender reserved (StorageReserve), so they cannot fail for want of it.
    /// </summary>
    Reserved = 8,
    /// <summary>FileTruncate: a file that is longer keeps its size (fallocate), judged together with the change, so that a write in between
    /// loses nothing.</summary>
    GrowOnly = 16,
}

/// <summary>Reply of FileWrite and StorageWrite.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FileWriteReply
{
    /// <summary>Bytes taken; less than asked only when the volume is full.</summary>
    public uint Written;
    /// <summary>FileWrite: number of the last failure of a write-back that the cache knows of; see FileSync.</summary>
    public uint LastWriteError;
    /// <summary>Where the first byte went (differs from the request for Append).</summary>
    public ulong Offset;
    /// <summary>The file's size afterwards.</summary>
    public ulong Size;
    /// <summary>
    /// Bytes still free on the volume; FileWrite: those of it that are reserved for the memory component and not used yet.
    /// </summary>
    public ulong VolumeFreeBytes;
}

/// <summary>What stat(2) reports. Times as FileTime.cs says.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FileAttributes
{
    public FileHandle Handle;
    /// <summary>S_IF* type and permission bits of inode(7).</summary>
    public uint Mode;
    public uint Links;
    public uint UserId;
    public uint GroupId;
    public uint DeviceNumber;
    public uint BlockSize;
    public ulong Size;
    /// <summary>In units of 512 bytes.</summary>
    public ulong Blocks;
    public ulong AccessTimeNs;
    public ulong ModifyTimeNs;
    public ulong ChangeTimeNs;
    /// <summary>0 = not known.</summary>
    public ulong BirthTimeNs;
}
