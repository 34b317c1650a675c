// F_NOTIFY (fcntl(2), dnotify): an open directory whose owner gets a signal when something happens in it, which is told as to those who
// watch the directory (Inotify.Events.cs). A notice belongs to an open file and to the table of descriptors that it was asked through, and
// goes with the first descriptor of the file that is closed there (dnotify_flush), at the latest with the file.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>DN_* of fcntl(2).</summary>
[Flags]
public enum DirectoryChanges : uint
{
    None = 0,
    Access = 1,
    Modify = 2,
    Create = 4,
    Delete = 8,
    Rename = 0x10,
    Attributes = 0x20,
    /// <summary>It is told more than once.</summary>
    Several = 0x8000_0000,
}

/// <summary>What an open directory's owner wants to be told, in a slab.</summary>
public unsafe struct DirectoryNotice
{
    internal DirectoryNotice* Next;
    internal OpenFile* File;
    internal LockOwner Table;
    /// <summary>The descriptor that the signal names.</summary>
    internal int Descriptor;
    internal DirectoryChanges Wanted;
}

public sealed unsafe partial class Inotify
{
    /// <summary>Tells the owner of an open directory of changes, of these too if it is told of some already. ENOMEM.</summary>
    public Errno Notify(OpenFile* file, LockOwner table, int descriptor, DirectoryChanges wanted)
    {
        FileNode* node = file->Node;
        DirectoryNotice* notice = node->Watched == null ? null : node->Watched->Notices;
        while (notice != null && !(notice->File == file && notice->Table.Is(in table)))
        {
            notice = notice->Next;
        }

        if (notice != null)
        {
            notice->Wanted |= wanted;
            notice->Descriptor = descriptor;
            return Errno.None;
        }

        notice = _notices.Allocate();
        WatchedFile* watched = notice == null ? null : node->Watched != null ? node->Watched : Add(node);
        if (watched == null)
        {
            if (notice != null)
            {
                _notices.Free(notice);
            }

            return Errno.ENOMEM;
        }

        *notice = new DirectoryNotice
        {
            Next = watched->Notices,
            File = file,
            Table = table,
            Descriptor = descriptor,
            Wanted = wanted,
        };
        watched->Notices = notice;
        return Errno.None;
    }

    /// <summary>A descriptor of an open file was closed in a table, or the table asks for nothing any more.</summary>
    [Blocks]
    public void EndNotice(OpenFile* file, LockOwner table) => EndNotices(file, table, isForAll: false);

    /// <summary>The last reference to an open file is gone.</summary>
    [Blocks]
    public void EndNotices(OpenFile* file) => EndNotices(file, default, isForAll: true);

    [Blocks]
    private void EndNotices(OpenFile* file, LockOwner table, bool isForAll)
    {
        if (_notices.InUse == 0 || file->Kind != FileKind.Directory || file->Node == null || file->Node->Watched == null)
        {
            return;
        }

        WatchedFile* watched = file->Node->Watched;
        for (DirectoryNotice** link = &watched->Notices; *link != null;)
        {
            if ((*link)->File == file && (isForAll || (*link)->Table.Is(in table)))
            {
                Free(link);
            }
            else
            {
                link = &(*link)->Next;
            }
        }

        DropIfUnwatched(watched);
    }

    /// <summary>What has happened to a watched directory, or in it, is told to owners of open ones.</summary>
    private void TellOwners(WatchedFile* watched, InotifyMask what)
    {
        DirectoryChanges changes = ChangesOf(what);
        for (DirectoryNotice** link = &watched->Notices; *link != null;)
        {
            DirectoryNotice* notice = *link;
            bool isTold = (notice->Wanted & changes) != 0;
            if (isTold)
            {
                SignalDrivenIo.TellOfDirectory(notice->File, notice->Descriptor);
            }

            if (isTold && (notice->Wanted & DirectoryChanges.Several) == 0)
            {
                Free(link);
            }
            else
            {
                link = &notice->Next;
            }
        }
    }

    private void Free(DirectoryNotice** link)
    {
        DirectoryNotice* notice = *link;
        *link = notice->Next;
        _notices.Free(notice);
    }

    private static DirectoryChanges ChangesOf(InotifyMask what) =>
        ((what & InotifyMask.Access) != 0 ? DirectoryChanges.Access : DirectoryChanges.None)
        | ((what & InotifyMask.Modify) != 0 ? DirectoryChanges.Modify : DirectoryChanges.None)
        | ((what & InotifyMask.Attributes) != 0 ? DirectoryChanges.Attributes : DirectoryChanges.None)
        | ((what & InotifyMask.RenamedHere) != 0 ? DirectoryChanges.Rename : DirectoryChanges.None)
        | ((what & (InotifyMask.Create | InotifyMask.MovedTo)) != 0 ? DirectoryChanges.Create : DirectoryChanges.None)
        | ((what & (InotifyMask.Delete | InotifyMask.MovedFrom)) != 0 ? DirectoryChanges.Delete : DirectoryChanges.None);
}
