// Files that are made without a name (open(2), O_TMPFILE), and what any new file inherits from its directory. A nameless file is an orphan
// from the beginning: it goes with its last holder, or with the next mount after a crash, unless link(2) gives it a name first.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

public sealed unsafe partial class Names
{
    /// <summary>
    /// Makes a file that no directory names, held once by a component; <paramref name="directoryNumber"/> is where its inode is looked for,
    /// and whose group it may inherit. ENOSPC; ENOMEM; EROFS.
    /// </summary>
    public Errno CreateNameless(uint directoryNumber, in NewFile file, NamelessUse use, ushort holder, out uint number)
    {
        number = 0;
        ulong timeNs = _volume.TimeNs;
        using InodeHandle directory = OpenForChange(directoryNumber, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Files.Create(Inherited(directory, file), directoryNumber, timeNs, out uint created);
        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle inode = _volume.Inodes.Open(created, out error);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.Held.Hold(inode.StableHandle, holder);
        if (error != Errno.None)
        {
            _volume.Files.Delete(inode, timeNs);
            return error;
        }

        HeldFile* held = _volume.Held.Find(inode.StableHandle);
        held->IsLinkable = use == NamelessUse.MayGetName;
        _volume.Orphans.Add(inode, held);
        number = created;
        return Errno.None;
    }

    /// <summary>Whether a file without names may be given one: it never had any.</summary>
    public bool MayGetName(in InodeHandle file)
    {
        HeldFile* held = _volume.Held.Find(file.StableHandle);
        return held != null && held->IsOrphan && held->IsLinkable;
    }

    /// <summary>A set-group-ID directory gives its group to what is made in it, and its bit to directories (mkdir(2)).</summary>
    private static NewFile Inherited(in InodeHandle directory, in NewFile file)
    {
        NewFile inherited = file;
        if ((directory.Record->Mode & FileMode.SetGroupId) == 0)
        {
            return inherited;
        }

        bool isDirectory = (file.Mode & FileMode.TypeMask) == FileMode.Directory;
        inherited.GroupId = directory.GroupId;
        inherited.Mode |= isDirectory ? FileMode.SetGroupId : 0;
        // Nobody makes programs that run as a group that he is not in.
        const uint RunsAsGroup = FileMode.SetGroupId | FileMode.GroupExecute;
        bool isForeign = file.UserId != 0 && file.GroupId != directory.GroupId;
        inherited.Mode &= !isDirectory && isForeign && (file.Mode & RunsAsGroup) == RunsAsGroup ? ~FileMode.SetGroupId : uint.MaxValue;
        return inherited;
    }
}

/// <summary>Whether a nameless file may be given a name (O_TMPFILE without and with O_EXCL).</summary>
public enum NamelessUse { MayGetName, StaysNameless }
