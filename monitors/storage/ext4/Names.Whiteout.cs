// A rename that leaves a mark where the name was (renameat2(2), RENAME_WHITEOUT): a character device 0:0, by which the layers of a union
// file system know that the name below is gone. The mark's inode is made first, so that ENOSPC leaves the volume as it was.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

public sealed unsafe partial class Names
{
    /// <summary>As <see cref="Rename"/>; the old name then stands for a new whiteout of a user.</summary>
    public Errno RenameWithWhiteout(
        uint oldDirectoryNumber, ReadOnlySpan<byte> oldName, uint newDirectoryNumber, ReadOnlySpan<byte> newName, RenameKind kind,
        uint userId, uint groupId, out LostName lost)
    {
        lost = default;
        NewFile mark = new() { Mode = FileMode.CharacterDevice, UserId = userId, GroupId = groupId };
        using InodeHandle directory = OpenForChange(oldDirectoryNumber, out Errno error);
        uint number = 0;
        error = error == Errno.None
            ? _volume.Files.Create(Inherited(directory, mark), oldDirectoryNumber, _volume.TimeNs, out number)
            : error;
        if (error != Errno.None)
        {
            return error;
        }

        error = Rename(oldDirectoryNumber, oldName, newDirectoryNumber, newName, kind, out lost);
        Errno entered = Errno.None;
        if (error == Errno.None)
        {
            // Two names of one file: nothing was moved, and nothing is to be marked.
            entered = CheckFree(directory, oldName);
            entered = entered == Errno.None ? _volume.Directories.Insert(directory, oldName, number, EntryType.CharacterDevice) : entered;
        }

        if (error != Errno.None || entered != Errno.None)
        {
            using InodeHandle unused = _volume.Inodes.Open(number, out Errno opened);
            if (opened == Errno.None)
            {
                _volume.Files.Delete(unused, _volume.TimeNs);
            }
        }

        return error != Errno.None || entered == Errno.EEXIST ? error : entered;
    }
}
