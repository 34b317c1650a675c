// What a futex is, whoever speaks of it (futex(2), Linux's union futex_key): in memory that address spaces share, an object and an offset
// in it; else an address space and an address. FUTEX_PRIVATE_FLAG says that the second is meant without a look. An object is named by its
// identity, which no later one bears (LineObjects), so that a waiter whose mapping goes away meanwhile is only ever woken by those who
// share what it waited for. A key is made after the last copy from or to the program: a map call may let the address mean something else at
// each blocking point. Nothing here blocks.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The name of a futex within the component.</summary>
public readonly unsafe struct FutexKey
{
    /// <summary>In _volume: an address space, not an object.</summary>
    private const uint OfSpace = uint.MaxValue;

    private const ulong PageMask = PageOperations.PageSize - 1;

    /// <summary>The space, or inode and generation.</summary>
    private readonly ulong _owner;
    private readonly uint _volume;
    /// <summary>Address in the space, or offset in the object.</summary>
    private readonly ulong _offset;

    private FutexKey(ulong owner, uint volume, ulong offset)
    {
        _owner = owner;
        _volume = volume;
        _offset = offset;
    }

    /// <summary>Spreads keys over buckets.</summary>
    internal ulong Hash => ((_owner >> 2) ^ (_offset >> 2) ^ _volume) * 0x9E37_79B9_7F4A_7C15;

    /// <summary>What the word at an address is now.</summary>
    /// <param name="isPrivate">Whoever asks knows that nobody outside the space uses it.</param>
    public static FutexKey Of(Process* process, ulong address, bool isPrivate)
    {
        AddressSpace* space = process->Space;
        if (!isPrivate && space->TryFindRange(address, out VmaRecord range) && range.Kind == VmaKind.SharedFile
            && process->Table.Backings.FileOf(range.Backing) != null)
        {
            ObjectIdentity identity = process->Table.Cache.Objects.IdentityOf(range.Backing);
            ulong owner = ((ulong)identity.Handle.Generation << 32) | identity.Handle.Inode;
            return new FutexKey(owner, identity.Volume, range.FileOffset + (address - range.Start));
        }

        return new FutexKey((ulong)space, OfSpace, address);
    }

    /// <summary>True when both name one futex.</summary>
    public bool Is(in FutexKey other) => _offset == other._offset && _owner == other._owner && _volume == other._volume;

    /// <summary>Where a space shows the futex; false: nowhere.</summary>
    internal bool TryFindAddress(Process* process, out ulong address)
    {
        AddressSpace* space = process->Space;
        address = _offset;
        if (_volume == OfSpace)
        {
            return (ulong)space == _owner;
        }

        for (int index = 0; index < space->Ranges.Count; index++)
        {
            VmaRecord range = space->Ranges[index];
            address = range.Start + ((_offset & ~PageMask) - range.FileOffset) + (_offset & PageMask);
            if (_offset >= range.FileOffset && _offset - range.FileOffset < range.End - range.Start
                && Of(process, address, isPrivate: false).Is(in this))
            {
                return true;
            }
        }

        return false;
    }
}
