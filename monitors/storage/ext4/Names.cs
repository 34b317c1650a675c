// Changes of the name space: making a file under a name, link, unlink, rmdir, rename. The steps that can fail for want of space come
// first, so that ENOSPC leaves the volume as it was. Link counts are kept as POSIX says; a file goes with its last name, or with its last
// holder when one is left (HeldFiles, OrphanList). May BLOCK on the device. Callers hold the volume, have resolved the directories and
// checked permissions; names are neither empty nor "." or "..".

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>What became of a file that lost a name.</summary>
public struct LostName
{
    /// <summary>0 = there was no file.</summary>
    public uint Inode;
    public uint Generation;
    public uint LinksLeft;
    /// <summary>Without a name, but held.</summary>
    public bool LivesOn;
}

/// <summary>What kind of name Unlink may remove.</summary>
public enum UnlinkKind { File, Directory }

/// <summary>Whether Rename may replace what has the new name.</summary>
public enum RenameKind { Replace, KeepExisting }

/// <summary>The names of a volume.</summary>
public sealed unsafe partial class Names(Volume volume)
{
    /// <summary>EXT4_LINK_MAX; a directory with more subdirectories counts 1 from then on (dir_nlink).</summary>
    private const ushort MaxLinks = 65000;
    private const ushort UncountedLinks = 1;
    /// <summary>Files with these keep the names that they have (chattr(1)).</summary>
    private const InodeFlags Frozen = InodeFlags.Immutable | InodeFlags.AppendOnly;

    private readonly Volume _volume = volume;

    /// <summary>Makes a file and enters it. EEXIST; ENOSPC; EMLINK; EROFS.</summary>
    public Errno Create(uint directoryNumber, ReadOnlySpan<byte> name, in NewFile file, out uint number)
    {
        number = 0;
        ulong timeNs = _volume.TimeNs;
        using InodeHandle directory = OpenForChange(directoryNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        error = CheckFree(directory, name);
        if (error != Errno.None)
        {
            return error;
        }

        bool isDirectory = (file.Mode & FileMode.TypeMask) == FileMode.Directory;
        if (isDirectory && !CanAddSubdirectory(directory))
        {
            return Errno.EMLINK;
        }

        error = _volume.Files.Create(Inherited(directory, file), directoryNumber, timeNs, out uint created);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Directories.Insert(directory, name, created, EntryTypeOf(file.Mode));
        if (error != Errno.None)
        {
            using InodeHandle orphan = _volume.Inodes.Open(created, out Errno opened);
            if (opened == Errno.None)
            {
                _volume.Files.Delete(orphan, timeNs);
            }

            return error;
        }

        if (isDirectory)
        {
            AddSubdirectory(directory);
        }

        Touch(directory, timeNs);
        number = created;
        return Errno.None;
    }

    /// <summary>
    /// Gives an existing file another name, or one without names (<see cref="CreateNameless"/>) its first. EPERM: a directory; EMLINK;
    /// EEXIST; ENOSPC; EROFS.
    /// </summary>
    public Errno Link(uint fileNumber, uint directoryNumber, ReadOnlySpan<byte> name)
    {
        ulong timeNs = _volume.TimeNs;
        using InodeHandle directory = OpenForChange(directoryNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle file = _volume.Inodes.Open(fileNumber, out error);
        if (error != Errno.None)
        {
            return error;
        }

        error = CheckFree(directory, name);
        if (error != Errno.None)
        {
            return error;
        }

        if (file.IsDirectory || (file.Record->Flags & Frozen) != 0)
        {
            return Errno.EPERM;
        }

        if (file.Record->Links >= MaxLinks)
        {
            return Errno.EMLINK;
        }

        error = _volume.Directories.Insert(directory, name, fileNumber, EntryTypeOf(file.Record->Mode));
        if (error == Errno.None && file.Record->Links == 0)
        {
            error = _volume.Orphans.Adopt(file);
        }

        if (error == Errno.None)
        {
            file.Record->Links++;
            file.SetChangeTime(timeNs);
            file.Commit();
            Touch(directory, timeNs);
        }

        return error;
    }

    /// <summary>Removes a name, and the file with its last one. ENOENT; EISDIR, ENOTDIR: the other kind; ENOTEMPTY; EROFS.</summary>
    public Errno Unlink(uint directoryNumber, ReadOnlySpan<byte> name, UnlinkKind kind, out LostName lost)
    {
        lost = default;
        ulong timeNs = _volume.TimeNs;
        using InodeHandle directory = OpenForChange(directoryNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Directories.Find(directory, name, out uint number, out _);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle file = _volume.Inodes.Open(number, out error);
        if (error != Errno.None)
        {
            return error;
        }

        error = CheckLosing(directory, CheckRemovable(file, kind));
        if (error == Errno.None)
        {
            error = _volume.Directories.Remove(directory, name);
        }

        if (error != Errno.None)
        {
            return error;
        }

        if (file.IsDirectory)
        {
            RemoveSubdirectory(directory);
        }

        Touch(directory, timeNs);
        return DropLink(file, timeNs, out lost);
    }

    /// <summary>
    /// Moves a name. What had the new name loses it. ENOENT; EEXIST with KeepExisting; EINVAL: into itself; ENOTDIR, EISDIR: kinds differ;
    /// ENOTEMPTY; ENOSPC; EMLINK; EROFS.
    /// </summary>
    public Errno Rename(
        uint oldDirectoryNumber,
        ReadOnlySpan<byte> oldName,
        uint newDirectoryNumber,
        ReadOnlySpan<byte> newName,
        RenameKind kind,
        out LostName lost)
    {
        lost = default;
        using InodeHandle oldDirectory = OpenForChange(oldDirectoryNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle newDirectory = OpenForChange(newDirectoryNumber, out error);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Directories.Find(oldDirectory, oldName, out uint number, out EntryType type);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle file = _volume.Inodes.Open(number, out error);
        if (error != Errno.None)
        {
            return error;
        }

        error = CheckLosing(oldDirectory, (file.Record->Flags & Frozen) != 0 ? Errno.EPERM : Errno.None);
        if (error != Errno.None)
        {
            return error;
        }

        Errno found = _volume.Directories.Find(newDirectory, newName, out uint replaced, out _);
        if (found == Errno.None && kind == RenameKind.KeepExisting)
        {
            return Errno.EEXIST;
        }

        bool moves = file.IsDirectory && oldDirectoryNumber != newDirectoryNumber;
        error = moves ? CheckNotInside(newDirectory, number) : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        if (found == Errno.None)
        {
            // Its parent or a directory above: it contains the file that is moved.
            error = oldDirectoryNumber != newDirectoryNumber ? CheckNotInside(oldDirectory, replaced) : Errno.None;
            if (error != Errno.None)
            {
                return error == Errno.EINVAL ? Errno.ENOTEMPTY : error;
            }

            if (replaced == number)
            {
                return Errno.None;
            }

            return ReplaceName(oldDirectory, oldName, newDirectory, newName, file, type, replaced, out lost);
        }

        if (found != Errno.ENOENT)
        {
            return found;
        }

        if (moves && !CanAddSubdirectory(newDirectory))
        {
            return Errno.EMLINK;
        }

        error = _volume.Directories.Insert(newDirectory, newName, number, type);
        if (error != Errno.None)
        {
            return error;
        }

        if (moves)
        {
            AddSubdirectory(newDirectory);
        }

        return FinishRename(oldDirectory, oldName, newDirectory, file);
    }

    private static EntryType EntryTypeOf(uint mode) => (mode & FileMode.TypeMask) switch
    {
        FileMode.Regular => EntryType.Regular,
        FileMode.Directory => EntryType.Directory,
        FileMode.CharacterDevice => EntryType.CharacterDevice,
        FileMode.BlockDevice => EntryType.BlockDevice,
        FileMode.Fifo => EntryType.Fifo,
        FileMode.Socket => EntryType.Socket,
        FileMode.SymbolicLink => EntryType.SymbolicLink,
        _ => EntryType.Unknown,
    };

    private InodeHandle OpenForChange(uint directoryNumber, out Errno error)
    {
        error = _volume.BeginChange();
        if (error != Errno.None)
        {
            return default;
        }

        InodeHandle directory = _volume.Inodes.Open(directoryNumber, out error);
        if (error == Errno.None && (directory.Record->Flags & InodeFlags.Immutable) != 0)
        {
            directory.Dispose();
            error = Errno.EPERM;
            return default;
        }

        return directory;
    }

    private Errno CheckFree(in InodeHandle directory, ReadOnlySpan<byte> name)
    {
        Errno error = _volume.Directories.Find(directory, name, out _, out _);
        return error == Errno.None ? Errno.EEXIST : error == Errno.ENOENT ? Errno.None : error;
    }

    /// <summary>EPERM: an append-only directory keeps its names; else what was found about the file.</summary>
    private static Errno CheckLosing(in InodeHandle directory, Errno fileError) =>
        (directory.Record->Flags & InodeFlags.AppendOnly) != 0 ? Errno.EPERM : fileError;

    private Errno CheckRemovable(in InodeHandle file, UnlinkKind kind)
    {
        if ((file.Record->Flags & Frozen) != 0)
        {
            return Errno.EPERM;
        }

        if (kind == UnlinkKind.File)
        {
            return file.IsDirectory ? Errno.EISDIR : Errno.None;
        }

        if (!file.IsDirectory)
        {
            return Errno.ENOTDIR;
        }

        return file.Number == Geometry.RootInode ? Errno.EBUSY : _volume.Directories.CheckEmpty(file);
    }

    /// <summary>EINVAL when <paramref name="directory"/> is the directory <paramref name="ancestor"/> or lies below it.</summary>
    private Errno CheckNotInside(in InodeHandle directory, uint ancestor)
    {
        // A damaged volume can have a circle; no path is deeper than its bytes allow.
        const int maxDepth = PathRequest.MaxPath;
        uint number = directory.Number;
        for (int depth = 0; depth < maxDepth; depth++)
        {
            if (number == ancestor)
            {
                return Errno.EINVAL;
            }

            if (number == Geometry.RootInode)
            {
                return Errno.None;
            }

            using InodeHandle level = _volume.Inodes.Open(number, out Errno error);
            if (error == Errno.None)
            {
                error = _volume.Directories.Find(level, ".."u8, out number, out _);
            }

            if (error != Errno.None)
            {
                return error == Errno.ENOENT ? Errno.EUCLEAN : error;
            }
        }

        return Errno.EUCLEAN;
    }

    private Errno ReplaceName(
        in InodeHandle oldDirectory,
        ReadOnlySpan<byte> oldName,
        in InodeHandle newDirectory,
        ReadOnlySpan<byte> newName,
        in InodeHandle file,
        EntryType type,
        uint replacedNumber,
        out LostName lost)
    {
        lost = default;
        using InodeHandle replaced = _volume.Inodes.Open(replacedNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        error = CheckLosing(newDirectory, CheckRemovable(replaced, file.IsDirectory ? UnlinkKind.Directory : UnlinkKind.File));
        if (error == Errno.None)
        {
            error = _volume.Directories.Replace(newDirectory, newName, file.Number, type);
        }

        if (error != Errno.None)
        {
            return error;
        }

        // A moved directory takes the replaced one's place among the new parent's subdirectories.
        if (file.IsDirectory && oldDirectory.Number == newDirectory.Number)
        {
            RemoveSubdirectory(newDirectory);
        }

        error = FinishRename(oldDirectory, oldName, newDirectory, file);
        Errno dropped = DropLink(replaced, _volume.TimeNs, out lost);
        return error != Errno.None ? error : dropped;
    }

    /// <summary>The new name is in: the old one goes, and a moved directory's ".." follows.</summary>
    private Errno FinishRename(in InodeHandle oldDirectory, ReadOnlySpan<byte> oldName, in InodeHandle newDirectory, in InodeHandle file)
    {
        ulong timeNs = _volume.TimeNs;
        Errno error = _volume.Directories.Remove(oldDirectory, oldName);
        if (error == Errno.None && file.IsDirectory && oldDirectory.Number != newDirectory.Number)
        {
            RemoveSubdirectory(oldDirectory);
            error = _volume.Directories.Replace(file, ".."u8, newDirectory.Number, EntryType.Directory);
        }

        file.SetChangeTime(timeNs);
        file.Commit();
        Touch(oldDirectory, timeNs);
        Touch(newDirectory, timeNs);
        return error;
    }

    private Errno DropLink(in InodeHandle file, ulong timeNs, out LostName lost)
    {
        lost = new LostName { Inode = file.Number, Generation = file.Record->Generation };
        if (file.IsDirectory || file.Record->Links <= 1)
        {
            HeldFile* held = _volume.Held.Find(file.StableHandle);
            if (held == null)
            {
                return _volume.Files.Delete(file, timeNs);
            }

            lost.LivesOn = true;
            file.SetChangeTime(timeNs);
            _volume.Orphans.Add(file, held);
            return Errno.None;
        }

        file.Record->Links--;
        file.SetChangeTime(timeNs);
        file.Commit();
        lost.LinksLeft = file.Record->Links;
        return Errno.None;
    }

    private static void Touch(in InodeHandle directory, ulong timeNs)
    {
        directory.SetModifyTime(timeNs);
        directory.SetChangeTime(timeNs);
        directory.Commit();
    }

    private bool CanAddSubdirectory(in InodeHandle directory) =>
        directory.Record->Links < MaxLinks || _volume.Geometry.HasManyLinks;

    private static void AddSubdirectory(in InodeHandle directory)
    {
        if (directory.Record->Links != UncountedLinks)
        {
            bool countable = directory.Record->Links < MaxLinks - 1;
            directory.Record->Links = countable ? (ushort)(directory.Record->Links + 1) : UncountedLinks;
        }
    }

    private static void RemoveSubdirectory(in InodeHandle directory)
    {
        if (directory.Record->Links > 2)
        {
            directory.Record->Links--;
        }
    }
}
