// What the file cache knows about each volume: how many pages may still become dirty, because their space is reserved at the storage
// component (StorageMessages.cs), and how long a file can be. A page takes one of these credits when it becomes dirty; the storage
// component takes it back when the page has been written; it comes back here when the page is dropped unwritten. So dirty pages always find
// their space, whoever else fills the volume. Never blocks.

namespace Lego.Memory;

/// <summary>Credits by volume; a fixed table.</summary>
internal sealed class VolumeSpaces
{
    private const int MaxVolumes = 64;

    private readonly VolumeSpace[] _volumes = new VolumeSpace[MaxVolumes];
    private int _count;

    private struct VolumeSpace
    {
        internal ushort Storage;
        internal ulong Credits;
        internal ulong MaxFileBytes;
    }

    internal int Count => _count;

    /// <summary>A volume that this cache writes to; one beyond the table's end is written through for ever.</summary>
    internal void Learn(ushort storage) => TryAdd(storage, out _);

    /// <summary>More pages may become dirty.</summary>
    internal void Grant(ushort storage, ulong pages, ulong maxFileBytes)
    {
        if (TryAdd(storage, out int index))
        {
            _volumes[index].Credits += pages;
            _volumes[index].MaxFileBytes = maxFileBytes;
        }
    }

    /// <summary>True when so many pages may become dirty; nothing is taken.</summary>
    internal bool HasCredits(ushort storage, ulong pages)
    {
        int index = IndexOf(storage);
        return index < _count && _volumes[index].Credits >= pages;
    }

    /// <summary>How many pages may become dirty.</summary>
    internal ulong CreditsOf(ushort storage)
    {
        int index = IndexOf(storage);
        return index < _count ? _volumes[index].Credits : 0;
    }

    /// <summary>A page becomes dirty; the caller knows that there is a credit.</summary>
    internal void Take(ushort storage) => _volumes[IndexOf(storage)].Credits--;

    /// <summary>A dirty page was dropped: its space is free for another.</summary>
    internal void GiveBack(ushort storage) => _volumes[IndexOf(storage)].Credits++;

    /// <summary>Takes all credits of a volume, to return them to the storage component.</summary>
    internal ulong TakeAll(ushort storage)
    {
        int index = IndexOf(storage);
        ulong credits = index < _count ? _volumes[index].Credits : 0;
        if (credits != 0)
        {
            _volumes[index].Credits = 0;
        }

        return credits;
    }

    /// <summary>Longest file of a volume, as far as it is known.</summary>
    internal ulong MaxFileBytes(ushort storage)
    {
        int index = IndexOf(storage);
        return index < _count && _volumes[index].MaxFileBytes != 0 ? _volumes[index].MaxFileBytes : ulong.MaxValue;
    }

    /// <summary>Whose volume stands in a place of the table.</summary>
    internal ushort StorageAt(int index) => _volumes[index].Storage;

    private bool TryAdd(ushort storage, out int index)
    {
        index = IndexOf(storage);
        if (index == MaxVolumes)
        {
            return false;
        }

        if (index == _count)
        {
            _count++;
            _volumes[index] = new VolumeSpace { Storage = storage };
        }

        return true;
    }

    private int IndexOf(ushort storage)
    {
        int index = 0;
        while (index < _count && _volumes[index].Storage != storage)
        {
            index++;
        }

        return index;
    }
}
