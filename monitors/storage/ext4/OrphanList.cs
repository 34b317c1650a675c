// ext4's list of orphans: inodes without a name that still live because somebody holds them. The superblock names the newest, and each
// one's time of deletion, which it does not have yet, is the number of the next older one (ext4 documentation, "Orphan File", the list
// without that feature). What a crash left on it is freed at the next mount, as Linux and e2fsck do, so an unlinked open file never costs
// space for longer than its holders live. In memory the list is doubly linked through the records of HeldFiles. May BLOCK on the device.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Inodes without names.</summary>
public sealed unsafe class OrphanList(Volume volume)
{
    private readonly Volume _volume = volume;
    private HeldFile* _newest;

    /// <summary>False: the volume is not clean.</summary>
    public bool IsEmpty => _newest == null;

    /// <summary>The inode has just lost its last name and somebody holds it.</summary>
    public void Add(in InodeHandle inode, HeldFile* held)
    {
        held->IsOrphan = true;
        held->NextOrphan = _newest;
        held->PreviousOrphan = null;
        if (_newest != null)
        {
            _newest->PreviousOrphan = held;
        }

        inode.Record->Links = 0;
        inode.Record->DeleteTime = _newest != null ? _newest->Handle.Inode : 0;
        inode.Commit();
        _newest = held;
        _volume.SetLastOrphan(inode.Number);
    }

    /// <summary>A file without names is about to get one: takes it off the list. EIO, EUCLEAN.</summary>
    public Errno Adopt(in InodeHandle inode)
    {
        HeldFile* held = _volume.Held.Find(inode.StableHandle);
        Errno error = Unlink(held);
        if (error == Errno.None)
        {
            held->IsOrphan = false;
            held->IsLinkable = false;
            inode.Record->DeleteTime = 0;
        }

        return error;
    }

    /// <summary>Nobody holds the file any more: takes it off the list and frees it. EIO, EUCLEAN.</summary>
    public Errno Delete(HeldFile* held)
    {
        Errno error = _volume.BeginChange();
        if (error == Errno.None)
        {
            error = Unlink(held);
        }

        if (error != Errno.None)
        {
            return error;
        }

        using InodeHandle inode = _volume.Inodes.OpenOrphan(held->Handle.Inode, out error);
        held->IsOrphan = false;
        return error == Errno.None ? _volume.Files.Delete(inode, _volume.TimeNs) : error;
    }

    /// <summary>Frees what the last life of the volume left on the list: whole inodes without a name, and the tails of those whose
    /// truncation it did not finish. A list that leads astray is cut off; e2fsck finds the rest. Part of mounting.</summary>
    public Errno CleanUp(uint first)
    {
        ulong freed = 0;
        uint number = first;
        Errno error = Errno.None;
        while (number != 0 && error == Errno.None && freed <= _volume.Geometry.InodeCount)
        {
            error = CleanUpOne(ref number);
            freed++;
        }

        if (error == Errno.EIO)
        {
            return error;
        }

        if (number != 0)
        {
            Log.Error($"ext4: the list of orphans is damaged at inode {number}");
            _volume.MarkDamaged();
        }

        Log.Info($"ext4: {freed} files without a name were left over and are gone");
        _volume.SetLastOrphan(0);
        return Errno.None;
    }

    private Errno CleanUpOne(ref uint number)
    {
        using InodeHandle inode = _volume.Inodes.OpenOrphan(number, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        error = _volume.InodeNumbers.CheckInUse(number);
        if (error != Errno.None)
        {
            return error;
        }

        uint next = inode.Record->DeleteTime;
        if (inode.Record->Links == 0)
        {
            error = _volume.Files.Delete(inode, _volume.TimeNs);
        }
        else
        {
            error = inode.IsRegular ? _volume.Contents.CutBehindEnd(inode) : Errno.None;
            inode.Record->DeleteTime = 0;
            inode.Commit();
        }

        number = error == Errno.None ? next : number;
        return error;
    }

    private Errno Unlink(HeldFile* held)
    {
        uint next = held->NextOrphan != null ? held->NextOrphan->Handle.Inode : 0;
        if (held->PreviousOrphan == null)
        {
            _volume.SetLastOrphan(next);
            _newest = held->NextOrphan;
        }
        else
        {
            using InodeHandle newer = _volume.Inodes.OpenOrphan(held->PreviousOrphan->Handle.Inode, out Errno error);
            if (error != Errno.None)
            {
                return error;
            }

            newer.Record->DeleteTime = next;
            newer.Commit();
            held->PreviousOrphan->NextOrphan = held->NextOrphan;
        }

        if (held->NextOrphan != null)
        {
            held->NextOrphan->PreviousOrphan = held->PreviousOrphan;
        }

        held->NextOrphan = null;
        held->PreviousOrphan = null;
        return Errno.None;
    }
}
