// When files were last read. Directories and symbolic links are read here, at each listing and whenever a link is followed; of other files
// their readers tell with what they give back (ReleaseRecord). As Linux by default (relatime, mount(8)), a time is changed only if the file
// has changed since it was read, or a day later: most reads change nothing. Who remembers the attributes is called back, the reader too,
// which does not know that it has changed something. May BLOCK. Callers hold the volume's lock.

using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Changes times of access.</summary>
public sealed unsafe class AccessTimes(Volume volume, LeaseGrants leases)
{
    private readonly Volume _volume = volume;
    private readonly LeaseGrants _leases = leases;

    /// <summary>An inode was read at a time, 0 = at none. On a volume that must not change nothing happens.</summary>
    [Blocks]
    public void MarkRead(in InodeHandle inode, ulong timeNs)
    {
        bool isDue = timeNs != 0 && (inode.Record->Flags & InodeFlags.NoAccessTime) == 0
            && FileTime.IsReadDue(inode.AccessTimeNs, inode.ModifyTimeNs, inode.ChangeTimeNs, timeNs);
        if (isDue && _volume.BeginChange() == Errno.None)
        {
            _leases.RecallAttributes(inode.Number, except: 0);
            inode.SetAccessTime(timeNs);
            inode.Commit();
        }
    }
}
