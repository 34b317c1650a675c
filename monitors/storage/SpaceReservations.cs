// Space that the file caches of the rack have reserved for bytes which they accepted and have not sent yet (StorageMessages.cs). Nobody
// else is given it: the volume withholds it from every other request. Counted in pages of 4096 bytes; in blocks a page costs its own and a
// share of the extent nodes that may be needed to find it. Soft state, gone with the cache's component or this one. Works on memory only.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Reserved pages by component.</summary>
public sealed class SpaceReservations(Volume volume)
{
    /// <summary>A leaf of an extent tree has at least 84 entries (blocks of 1 KB): one block of a tree for so many of contents.</summary>
    private const ulong BlocksPerNode = 64;
    /// <summary>Blocks for the upper nodes of the trees.</summary>
    private const ulong SpareBlocks = 16;
    /// <summary>Beyond what it needs at once a cache gets one part in so many of the free space, so that names find some as well.</summary>
    private const ulong ExtraShare = 16;

    private readonly Volume _volume = volume;
    private readonly ulong[] _pages = new ulong[RpcEndpoint.MaxNode + 1];
    private ulong _total;

    private ulong BlocksPerPage => (ulong)PageOperations.PageSize / _volume.Geometry.BlockBytes;

    /// <summary>Blocks that a request must leave alone.</summary>
    public ulong WithheldFromAll => BlocksFor(_total);

    /// <summary>Blocks that a component's own reserved bytes must leave alone.</summary>
    public ulong WithheldFrom(ushort node) => BlocksFor(_total - _pages[node]);

    /// <summary>Reply: ReserveReply.</summary>
    public void Reserve(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out ReserveRequest head, out _))
        {
            return;
        }

        Take(request.Source, head.Returned);
        ReserveReply reply = new() { MaxFileBytes = _volume.Contents.MaxSize };
        if (head.Wanted != 0)
        {
            reply.Granted = Grant(request.Source, head.Least, Math.Max(head.Least, head.Wanted));
        }

        request.Reply(_volume.ReadOnly ? Errno.EROFS : Errno.None, in reply);
    }

    /// <summary>Pages that were reserved are written or not needed any more.</summary>
    public void Take(ushort node, ulong pages)
    {
        pages = Math.Min(pages, _pages[node]);
        _pages[node] -= pages;
        _total -= pages;
    }

    /// <summary>A component failed or left: what it had accepted is lost with it.</summary>
    public void Forget(ushort node) => Take(node, ulong.MaxValue);

    private uint Grant(ushort node, uint least, uint wanted)
    {
        ulong withheld = BlocksFor(_total + least);
        if (_volume.ReadOnly || _volume.FreeBlocks < withheld)
        {
            return 0;
        }

        ulong extra = (_volume.FreeBlocks - withheld) / BlocksPerPage / ExtraShare;
        uint granted = least + (uint)Math.Min(extra, wanted - least);
        _pages[node] += granted;
        _total += granted;
        return granted;
    }

    private ulong BlocksFor(ulong pages)
    {
        ulong blocks = pages * BlocksPerPage;
        return pages == 0 ? 0 : blocks + (blocks / BlocksPerNode) + SpareBlocks;
    }
}
