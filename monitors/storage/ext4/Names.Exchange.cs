// Two names that change places (renameat2(2), RENAME_EXCHANGE): files of any kinds, neither of which contains the other. Both entries are
// there already, so nothing can fail for want of space.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

public sealed unsafe partial class Names
{
    /// <summary>Exchanges what two names stand for. ENOENT; EINVAL: one contains the other; EMLINK; EPERM; EROFS.</summary>
    public Errno Exchange(
        uint firstDirectoryNumber, ReadOnlySpan<byte> firstName, uint secondDirectoryNumber, ReadOnlySpan<byte> secondName)
    {
        using InodeHandle firstDirectory = OpenForChange(firstDirectoryNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle secondDirectory = OpenForChange(secondDirectoryNumber, out error);
        using InodeHandle first = error == Errno.None ? OpenNamed(firstDirectory, firstName, out EntryType firstType, out error)
            : None(out firstType);
        using InodeHandle second = error == Errno.None ? OpenNamed(secondDirectory, secondName, out EntryType secondType, out error)
            : None(out secondType);
        error = error == Errno.None ? CheckExchange(firstDirectory, first, secondDirectory, second) : error;
        if (error != Errno.None || first.Number == second.Number)
        {
            return error;
        }

        error = _volume.Directories.Replace(firstDirectory, firstName, second.Number, secondType);
        error = error == Errno.None ? _volume.Directories.Replace(secondDirectory, secondName, first.Number, firstType) : error;
        error = error == Errno.None ? ChangeParent(first, firstDirectory, secondDirectory) : error;
        error = error == Errno.None ? ChangeParent(second, secondDirectory, firstDirectory) : error;
        Touch(firstDirectory, _volume.TimeNs);
        Touch(secondDirectory, _volume.TimeNs);
        return error;
    }

    private static InodeHandle None(out EntryType type)
    {
        type = EntryType.Unknown;
        return default;
    }

    private InodeHandle OpenNamed(scoped in InodeHandle directory, scoped ReadOnlySpan<byte> name, out EntryType type, out Errno error)
    {
        error = _volume.Directories.Find(directory, name, out uint number, out type);
        return error == Errno.None ? _volume.Inodes.Open(number, out error) : default;
    }

    private Errno CheckExchange(
        in InodeHandle firstDirectory, in InodeHandle first, in InodeHandle secondDirectory, in InodeHandle second)
    {
        bool areFrozen = ((first.Record->Flags | second.Record->Flags) & Frozen) != 0;
        Errno error = CheckLosing(firstDirectory, CheckLosing(secondDirectory, areFrozen ? Errno.EPERM : Errno.None));
        if (error != Errno.None || firstDirectory.Number == secondDirectory.Number)
        {
            return error;
        }

        error = first.IsDirectory ? CheckNotInside(secondDirectory, first.Number) : Errno.None;
        error = error == Errno.None && second.IsDirectory ? CheckNotInside(firstDirectory, second.Number) : error;
        bool isFull = (first.IsDirectory && !second.IsDirectory && !CanAddSubdirectory(secondDirectory))
            || (second.IsDirectory && !first.IsDirectory && !CanAddSubdirectory(firstDirectory));
        return error == Errno.None && isFull ? Errno.EMLINK : error;
    }

    /// <summary>The file has its new name; a directory's ".." follows.</summary>
    private Errno ChangeParent(in InodeHandle file, in InodeHandle from, in InodeHandle to)
    {
        Errno error = Errno.None;
        if (file.IsDirectory && from.Number != to.Number)
        {
            error = _volume.Directories.Replace(file, ".."u8, to.Number, EntryType.Directory);
            RemoveSubdirectory(from);
            AddSubdirectory(to);
        }

        file.SetChangeTime(_volume.TimeNs);
        file.Commit();
        return error;
    }
}
