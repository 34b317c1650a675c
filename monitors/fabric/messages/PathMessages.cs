// Messages about names: a processor component sends them to the storage component that holds the vNode's volume. Paths are as the program
// gave them, absolute or relative to a directory that the request names (PathFlags.At); the storage component walks them with the file
// system's own rules for "..", symbolic links and trailing slashes (path_resolution(7)). Each request says all that it needs; the one thing
// that a storage component remembers is who holds which file (PathFlags.Hold, Release), counted as FUSE counts lookups and forgets: a held
// file outlives its last name, on ext4's orphan list.
//
// Open           OpenRequest + path                   reply OpenReply + canonical path (no links, no ".."; empty: unknown) + KeyCount u32;
//                                                     with PathFlags.Lease an ENOENT or ENOTDIR of the walk comes with its keys alone
// MakeNode       MakeNodeRequest + path + target      reply ChangeReply        (mkdir, mknod, symlink: by Mode's type; target for links)
// Unlink         UnlinkRequest + path                 reply UnlinkReply        (unlink, rmdir)
// Rename TwoPathRequest + old + new reply RenameReply + canonical old + canonical new (what the new name replaced, if anything) Link
// TwoPathRequest + old + new reply ChangeReply ReadLink PathRequest + path reply ReadLinkReply + the target + KeyCount u32 ReadDirectory
// ReadDirectoryRequest + path reply DirectoryEntryHeader + name, repeated; empty = the end SetAttributes SetAttributesRequest + path reply
// ChangeReply (chmod, chown, utimensat) VolumeStatus PathRequest + path reply VolumeStatusReply (statfs) Release ReleaseRequest +
// ReleaseRecord each reply u32 each: 1 = the file has gone with this, 0 = it lives on or was not held ReadAttribute AttributeRequest +
// path + name reply the value, or all names with their terminators ChangeAttribute AttributeRequest + path + name + value reply ChangeReply

using System;
using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>How the last component of a path is treated.</summary>
[Flags]
public enum PathFlags : uint
{
    None = 0,
    /// <summary>Do not follow a symbolic link in the last component (AT_SYMLINK_NOFOLLOW, O_NOFOLLOW).</summary>
    NoFollow = 1,
    /// <summary>Create a regular file when the name is free (O_CREAT).</summary>
    Create = 2,
    /// <summary>With Create: EEXIST when the name is taken (O_EXCL).</summary>
    Exclusive = 4,
    /// <summary>ENOTDIR unless it is a directory (O_DIRECTORY); for Unlink: rmdir(2).</summary>
    Directory = 8,
    /// <summary>Rename: EEXIST when the new name is taken (RENAME_NOREPLACE).</summary>
    NoReplace = 16,
    /// <summary>Open: the sender holds the file once more; it lives until as many Releases, whatever becomes of its names.</summary>
    Hold = 32,
    /// <summary>
    /// Handle names the directory where a relative path begins (openat(2)). The first StartLength bytes of the path are the directory's own
    /// path as far as the sender knows it, a hint for the canonical one; what follows them is walked.
    /// </summary>
    At = 64,
    /// <summary>As At, for the second path of a TwoPathRequest.</summary>
    NewAt = 128,
    /// <summary>
    /// The sender serves some names of the root directory itself (MountNames): a walk that meets one ends with EREMOTE. Open's reply then
    /// is the rest of the path from that name on.
    /// </summary>
    Mounts = 256,
    /// <summary>Open: writing will only append (O_APPEND without O_TRUNC), which append-only files allow.</summary>
    Append = 512,
    /// <summary>Open: the sender will remember where the path leads, and what it found there (LeaseMessages.cs).</summary>
    Lease = 1024,
    /// <summary>
    /// Open, with Hold: make a regular file without a name in the directory at the path (O_TMPFILE); with Exclusive it will never get one.
    /// </summary>
    Nameless = 2048,
    /// <summary>Rename: what the two names stand for is exchanged (RENAME_EXCHANGE); nothing is replaced.</summary>
    Exchange = 4096,
    /// <summary>Rename: a character device without a number takes the old name (RENAME_WHITEOUT).</summary>
    Whiteout = 8192,
    /// <summary>ELOOP instead of following a symbolic link (RESOLVE_NO_SYMLINKS of openat2(2)).</summary>
    NoLinks = 16384,
    /// <summary>EXDEV where the path leaves the directory where it begins, also by a link that is absolute (RESOLVE_BENEATH).</summary>
    Beneath = 32768,
    /// <summary>The directory where the path begins is the root of ".." and of links that are absolute (RESOLVE_IN_ROOT).</summary>
    InRoot = 65536,
}

/// <summary>Names in the root directory that a processor component serves (PathFlags.Mounts).</summary>
public static class MountNames
{
    /// <summary>True for "dev", "proc" and "sys".</summary>
    public static bool Has(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("dev"u8) || name.SequenceEqual("proc"u8) || name.SequenceEqual("sys"u8);
}

/// <summary>A request about one path; PathLength bytes follow, no terminator.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct PathRequest
{
    /// <summary>Longest path on the wire (PATH_MAX).</summary>
    public const int MaxPath = 4096;

    public PathFlags Flags;
    public ushort PathLength;
    /// <summary>PathFlags.At: bytes of the path that tell where the start is.</summary>
    public ushort StartLength;
    public uint UserId;
    public uint GroupId;
    public GroupList Groups;
    /// <summary>PathFlags.At: the start. Else, for Open, SetAttributes, ReadDirectory, VolumeStatus, Link (the old file): not 0 = this very
    /// file, with whatever name or none; the path is then only a hint. ESTALE when it is gone.</summary>
    public FileHandle Handle;
    /// <summary>What the sender's clock, which programs read, said at the call: the time of a change, nanoseconds since the epoch.
    /// 0 = the storage component's own clock.</summary>
    public ulong TimeNs;
}

/// <summary>Look a path up, create it when asked.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct OpenRequest
{
    public PathRequest Path;
    /// <summary>Permission bits of a created file, umask applied.</summary>
    public uint Mode;
    /// <summary>Permissions to check, as access(2): 4 read, 2 write, 1 execute; 0 = existence.</summary>
    public uint Access;
}

/// <summary>What of Open's answer may be remembered.</summary>
public enum PathLease : ushort
{
    /// <summary>Nothing.</summary>
    None = 0,
    /// <summary>
    /// The way, under the keys that follow; who may use the file, under its own; of what is no regular file all attributes.
    /// </summary>
    Granted = 1,
    /// <summary>
    /// As Granted; no symbolic link is on the way or at its end, so that it is the same whether the last one is followed or not.
    /// </summary>
    Plain = 2,
}

/// <summary>What was found; the canonical path follows.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct OpenReply
{
    public FileAttributes Attributes;
    /// <summary>1 when this request created the file.</summary>
    public ushort Created;
    public ushort PathLength;
    /// <summary>Keys on which the path's way depends; they follow the path.</summary>
    public ushort KeyCount;
    public PathLease Lease;
    /// <summary>What creating the file changed.</summary>
    public LeaseKeys Changed;
}

/// <summary>A symbolic link's target follows, then the keys on which the way to the link depends; a target never changes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReadLinkReply
{
    public ushort TargetLength;
    public ushort KeyCount;
    public PathLease Lease;
    public ushort Reserved;
}

/// <summary>What a file is like after a change, and what the change concerned.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ChangeReply
{
    public FileAttributes Attributes;
    public LeaseKeys Changed;
}

/// <summary>mkdir, mknod, symlink: Mode carries the S_IF* type; a link's target (TargetLength bytes) follows the path.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MakeNodeRequest
{
    public PathRequest Path;
    public uint Mode;
    public uint DeviceNumber;
    public ushort TargetLength;
    public ushort Reserved0;
    public uint Reserved1;
}

/// <summary>unlink, or rmdir with PathFlags.Directory.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct UnlinkRequest
{
    public PathRequest Path;
    /// <summary>Given back first, as by Release; no entry: Holds 0.</summary>
    public ReleaseRecord Released;
}

/// <summary>What became of a file without names.</summary>
[Flags]
public enum LostNameFlags : uint
{
    None = 0,
    /// <summary>Somebody holds it: it lives on until the last Release.</summary>
    LivesOn = 1,
}

/// <summary>Which file lost a name, and how many names it still has.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct UnlinkReply
{
    public FileHandle Handle;
    public uint LinksLeft;
    public LostNameFlags Flags;
    public LeaseKeys Changed;
}

/// <summary>rename, link: both paths follow, old first.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct TwoPathRequest
{
    public PathRequest Old;
    public ushort NewLength;
    /// <summary>As Old.StartLength and Old.Handle, for the second path (PathFlags.NewAt).</summary>
    public ushort NewStartLength;
    public uint Reserved;
    public FileHandle NewStart;
    /// <summary>As UnlinkRequest.Released: of the file that is about to be replaced.</summary>
    public ReleaseRecord Released;
}

/// <summary>The file that rename replaced (Handle 0 = none).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct RenameReply
{
    public FileHandle Replaced;
    public uint ReplacedLinksLeft;
    public LostNameFlags Flags;
    /// <summary>Both canonical paths follow, old first; 0 where one is unknown, or where nothing was moved.</summary>
    public ushort OldLength;
    public ushort NewLength;
    public uint Reserved;
    public LeaseKeys Changed;
}

/// <summary>Gives holds of files back (PathFlags.Hold); Count entries follow.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReleaseRequest
{
    /// <summary>Most entries of one request.</summary>
    public const int MaxEntries = 64;

    public uint Count;
    public uint Reserved;
}

/// <summary>How many holds of a file its holder gives back.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReleaseEntry
{
    public FileHandle Handle;
    public uint Holds;
    public uint Reserved;
}

/// <summary>The same in a Release, and when the file was read.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReleaseRecord
{
    public ReleaseEntry Entry;
    /// <summary>When the holder's programs read the file first since it changed (FileTime.IsReadDue); 0 = they have not.</summary>
    public ulong AccessTimeNs;
}

/// <summary>
/// An extended attribute (xattr(7)): NameLength bytes of its name follow the path, then, for ChangeAttribute, the value. ReadAttribute
/// without a name lists all names.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct AttributeRequest
{
    /// <summary>Most bytes of a name and of a value; no block of ext4 has more (XATTR_NAME_MAX).</summary>
    public const int MaxNameBytes = 255;
    public const int MaxValueBytes = 4096;

    public PathRequest Path;
    public ushort NameLength;
    /// <summary>ChangeAttribute: bits 1 only if there is none, 2 only if there is one, 4 remove; 0 = set.</summary>
    public ushort Change;
    public uint Reserved;
}

/// <summary>Read directory entries from Cookie on (0 = the beginning).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReadDirectoryRequest
{
    public PathRequest Path;
    public ulong Cookie;
    public uint MaxBytes;
    public uint Reserved;
}

/// <summary>One entry; NameLength bytes follow, padded to a multiple of 8.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct DirectoryEntryHeader
{
    /// <summary>Continue after this entry with this cookie.</summary>
    public ulong NextCookie;
    public uint Inode;
    /// <summary>DT_* of readdir(3).</summary>
    public byte Type;
    public byte NameLength;
    public ushort Reserved;
}

/// <summary>Which of SetAttributesRequest's fields apply.</summary>
[Flags]
public enum AttributeMask : uint
{
    Mode = 1,
    UserId = 2,
    GroupId = 4,
    AccessTime = 8,
    ModifyTime = 16,
    /// <summary>Both times are now: who may write to the file may do that, too (utimensat(2)).</summary>
    Touch = 32,
    /// <summary>A user without privileges has changed the file's contents: the set-user-ID and set-group-ID bits go. Alone.</summary>
    DropSetId = 64,
}

/// <summary>chmod, chown, utimensat.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SetAttributesRequest
{
    public PathRequest Path;
    public AttributeMask Mask;
    public uint Mode;
    public uint UserId;
    public uint GroupId;
    public ulong AccessTimeNs;
    public ulong ModifyTimeNs;
}

/// <summary>statfs(2).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct VolumeStatusReply
{
    public ulong BlockSize;
    public ulong Blocks;
    public ulong FreeBlocks;
    public ulong AvailableBlocks;
    public ulong Inodes;
    public ulong FreeInodes;
    public ulong MaxNameLength;
}
