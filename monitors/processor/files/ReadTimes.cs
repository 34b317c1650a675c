// When files of the volume were last read by programs of this component. A read notes its time in the file's node and sends nothing; stat
// tells it, and the storage component hears of it with the hold that is given back (FileHolds.cs). The rule is Linux's default, relatime
// (FileTime.IsReadDue), which lets the first read since a change count: so a noted time stays until the file changes. Another component
// sees it when the file is given back here. Never blocks.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Times of access that the storage component has not been told.</summary>
public static unsafe class ReadTimes
{
    /// <summary>A program reads a file, or maps it.</summary>
    public static void Note(OpenFile* file)
    {
        FileNode* node = file->Node;
        if (node == null || node->Memory != null || (file->Flags & OpenFlags.NoAccessTime) != 0)
        {
            return;
        }

        LeaseClock clock = node->Table.Leases!.Clock;
        if (node->ReadAtNs != 0 && node->ReadMoment == clock.Now)
        {
            return;
        }

        if (node->ReadAtNs == 0 || !clock.IsUntouched(node->ReadMoment, LeaseClock.SlotOf(LeaseKey.Attributes(node->Handle.Inode))))
        {
            node->ReadAtNs = Clock.UnixTimeNs();
        }

        node->ReadMoment = clock.Now;
    }

    /// <summary>Puts the noted time into attributes that others have told.</summary>
    public static void Complete(FileNodes nodes, ushort storage, ref FileAttributes attributes)
    {
        FileNode* node = nodes.Find(storage, in attributes.Handle);
        bool isNewer = node != null && node->ReadAtNs != 0
            && FileTime.IsReadDue(attributes.AccessTimeNs, attributes.ModifyTimeNs, attributes.ChangeTimeNs, node->ReadAtNs);
        attributes.AccessTimeNs = isNewer ? node->ReadAtNs : attributes.AccessTimeNs;
    }

    /// <summary>A program sets the time of access: what was noted before is over.</summary>
    public static void Forget(FileNode* node) => node->ReadAtNs = 0;
}
