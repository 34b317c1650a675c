// What the file cache knows about the free space of each volume: the answer of the last write. A volume that was never written to is
// treated as full, so that its first write goes through and brings the figure. Never blocks.

namespace Lego.Memory;

/// <summary>Free bytes by volume; a fixed table.</summary>
internal sealed class VolumeSpaces
{
    private const int MaxVolumes = 64;
    /// <summary>Room that stays free for metadata and for writers that bypass the cache.</summary>
    private const ulong MarginBytes = 4UL << 20;

    private readonly VolumeSpace[] _volumes = new VolumeSpace[MaxVolumes];
    private int _count;

    private struct VolumeSpace
    {
        internal ushort VNode;
        internal ushort Storage;
        internal ulong FreeBytes;
    }

    internal int Count => _count;

    /// <summary>Remembers a volume's free space; volumes beyond the table's end are written through for ever.</summary>
    internal void Learn(ushort vnode, ushort storage, ulong freeBytes)
    {
        int index = IndexOf(vnode, storage);
        if (index == _count)
        {
            if (_count == MaxVolumes)
            {
                return;
            }

            _count++;
            _volumes[index].VNode = vnode;
            _volumes[index].Storage = storage;
        }

        _volumes[index].FreeBytes = freeBytes;
    }

    /// <summary>True when so many bytes not yet written will surely fit.</summary>
    internal bool HasRoom(ushort vnode, ushort storage, ulong bytes)
    {
        int index = IndexOf(vnode, storage);
        return index < _count && _volumes[index].FreeBytes > bytes + MarginBytes;
    }

    /// <summary>The volume at a place of the table.</summary>
    internal void Get(int index, out ushort vnode, out ushort storage)
    {
        vnode = _volumes[index].VNode;
        storage = _volumes[index].Storage;
    }

    private int IndexOf(ushort vnode, ushort storage)
    {
        int index = 0;
        while (index < _count && (_volumes[index].VNode != vnode || _volumes[index].Storage != storage))
        {
            index++;
        }

        return index;
    }
}
