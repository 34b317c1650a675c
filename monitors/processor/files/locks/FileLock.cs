// What a lock on a file is: which file, whose, which bytes, of which kind (fcntl(2) "Advisory record locking", flock(2)). Values without
// pointers into processes or open files, so that the table that keeps them may live in any component.

using Lego.Fabric.Messages;

namespace Lego.Processor;

/// <summary>l_type of struct flock.</summary>
public enum LockType : short
{
    Read = 0,
    Write = 1,
    Unlock = 2,
}

/// <summary>Locks of different families do not see each other.</summary>
public enum LockFamily : byte
{
    /// <summary>fcntl's: of bytes; a process's, or an open file description's (F_OFD_*).</summary>
    Record = 0,
    /// <summary>flock's: of whole files; an open file description's.</summary>
    Whole = 1,
}

/// <summary>The file that is locked; files that are not on a volume have a Space of their own.</summary>
public readonly struct LockedFile(uint space, FileHandle handle)
{
    public uint Space { get; } = space;

    public FileHandle Handle { get; } = handle;

    public bool Is(in LockedFile other) =>
        Space == other.Space && Handle.Inode == other.Handle.Inode && Handle.Generation == other.Handle.Generation;
}

/// <summary>
/// Whose lock it is: a descriptor table's or an open file description's, by a number that nobody else has while it lives.
/// </summary>
public readonly struct LockOwner(ulong number, bool isOpenFile)
{
    public ulong Number { get; } = number;

    public bool IsOpenFile { get; } = isOpenFile;

    public bool Is(in LockOwner other) => Number == other.Number && IsOpenFile == other.IsOpenFile;
}

/// <summary>A lock that is held or asked for.</summary>
public struct FileLock
{
    /// <summary>Last byte of a lock to the end of the file, however far that goes (l_len 0).</summary>
    public const ulong EndOfFile = long.MaxValue;

    public LockedFile File;
    public LockOwner Owner;
    /// <summary>l_pid of F_GETLK: the process that set it.</summary>
    public uint ProcessId;
    public LockType Type;
    public LockFamily Family;
    /// <summary>First and last byte, both included.</summary>
    public ulong First;
    public ulong Last;

    /// <summary>True when both cannot be held: another owner, a common byte, and one of them writes.</summary>
    public readonly bool ConflictsWith(in FileLock other) =>
        !Owner.Is(in other.Owner) && Family == other.Family && File.Is(in other.File) && First <= other.Last && other.First <= Last
        && (Type == LockType.Write || other.Type == LockType.Write);
}
