// What a storage component grants and calls back (LeaseMessages.cs): the ways of paths, and the attributes of inodes. A request that
// changes something lists the keys of it (ChangesOf...), has everybody else forget them (Recall) right before it makes the change, and
// tells them to its requester. All under the volume's lock, which Recall keeps while it waits: nothing is granted between a call-back and
// the change that it is for. Without an endpoint (host tests of the volume alone) nothing is granted.

using System;
using Lego.Common.Leases;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Leases of one volume.</summary>
public sealed unsafe class LeaseGrants
{
    private readonly Volume _volume;
    private readonly LeaseHolders? _holders;

    /// <summary>Boot time.</summary>
    public LeaseGrants(Volume volume, RpcEndpoint? rpc, FrameAllocator frames)
    {
        _volume = volume;
        _holders = rpc is null ? null : new LeaseHolders(rpc, frames);
    }

    /// <summary>True when the way of this request's path may be remembered by who asks.</summary>
    public bool CanGrant(in PathRequest request, PathWalker walker) =>
        _holders is not null && (request.Flags & PathFlags.Lease) != 0 && !PathResolver.IsByHandle(request) && walker.KnowsKeys;

    /// <summary>A component will remember where a way leads.</summary>
    public void GrantWay(ReadOnlySpan<uint> keys, ushort node)
    {
        foreach (uint key in keys)
        {
            _holders?.Grant(key, node);
        }
    }

    /// <summary>A component will remember what the storage component knows of an inode; 0 = nobody will.</summary>
    public void GrantAttributes(uint inode, ushort node)
    {
        if (node != 0)
        {
            _holders?.Grant(LeaseKey.Attributes(inode), node);
            _holders?.Grant(LeaseKey.Access(inode), node);
        }
    }

    /// <summary>A component will remember who may use a file whose size and times another one knows better.</summary>
    public void GrantAccess(uint inode, ushort node) => _holders?.Grant(LeaseKey.Access(inode), node);

    /// <summary>Everybody but the requester forgets what is about to change.</summary>
    [Blocks]
    public void Recall(ref LeaseKeys keys, ushort except) => _holders?.Recall(ref keys, except);

    /// <summary>The same for an inode's attributes.</summary>
    public void RecallAttributes(uint inode, ushort except) => _holders?.Recall(LeaseKey.Attributes(inode), except);

    /// <summary>A name of a directory comes, goes or leads elsewhere.</summary>
    public static void AddName(ref LeaseKeys keys, uint directory, ReadOnlySpan<byte> name)
    {
        keys.Add(LeaseKey.Name(directory, name));
        keys.Add(LeaseKey.Attributes(directory));
    }

    /// <summary>
    /// An inode loses a name. Who holds it open is told as well, whatever it remembers: what it only keeps for a next open, it gives back.
    /// </summary>
    public void AddLoss(ref LeaseKeys keys, uint number)
    {
        keys.Add(LeaseKey.Attributes(number));
        keys.Add(LeaseKey.Access(number));
        using InodeHandle inode = _volume.Inodes.Open(number, out Errno error);
        if (error != Errno.None)
        {
            return;
        }

        HeldFile* held = _volume.Held.Find(inode.StableHandle);
        for (Holder* holder = held == null ? null : held->Holders; holder != null; holder = holder->Next)
        {
            _holders?.Grant(LeaseKey.Access(number), holder->Node);
        }
    }

    /// <summary>Counters.</summary>
    public void Report(ref StatisticsWriter writer) => _holders?.Report(ref writer, "storage.recalls"u8);
}
