// Attributes of files as they were when last asked for, by handle. One entry has two parts that hold for themselves: who may do what (type,
// permissions, owner, group), which seldom changes and is all that an open needs; and everything else, for stat, which a write makes old. A
// part is true as long as the lease clock says so (LeaseClock.cs). Those used longest ago make room (RecentTable.cs). Never blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Attributes of one file.</summary>
public struct RememberedFile
{
    internal FileAttributes Attributes;
    /// <summary>When the attributes were asked for.</summary>
    internal ulong Moment;
    /// <summary>When type, permissions and owners were.</summary>
    internal ulong AccessMoment;
    internal ushort Storage;
    /// <summary>False while only the access part was ever told.</summary>
    internal bool IsComplete;
}

/// <summary>Attributes that were asked for lately.</summary>
public sealed unsafe class RememberedAttributes
{
    /// <summary>The part of the memory that this takes: one page in so many.</summary>
    private const ulong MemoryShare = 256;
    private const ulong MostPages = 256;

    private readonly LeaseClock _clock;
    private readonly RecentTable<RememberedFile> _table;

    /// <summary>Boot time; without memory nothing is remembered.</summary>
    public RememberedAttributes(FrameAllocator frames, LeaseClock clock)
    {
        _clock = clock;
        _table = new RecentTable<RememberedFile>(frames, MemoryShare, MostPages);
    }

    /// <summary>What stat(2) tells, if that is known and still true.</summary>
    public bool TryFind(ushort storage, in FileHandle handle, out FileAttributes attributes)
    {
        RememberedFile* entry = LookComplete(storage, in handle);
        attributes = entry != null ? entry->Attributes : default;
        return entry != null;
    }

    /// <summary>As <see cref="TryFind"/>, the size alone.</summary>
    public bool TryFindSize(ushort storage, in FileHandle handle, out ulong sizeBytes)
    {
        RememberedFile* entry = LookComplete(storage, in handle);
        sizeBytes = entry != null ? entry->Attributes.Size : 0;
        return entry != null;
    }

    /// <summary>As <see cref="TryFind"/>, but only type, permissions, owner and group (and the device's number) need be true.</summary>
    public bool TryFindAccess(ushort storage, in FileHandle handle, out FileAttributes attributes)
    {
        RememberedFile* entry = Look(storage, in handle);
        bool isKnown = entry != null && Holds(entry->AccessMoment, LeaseKey.Access(handle.Inode));
        attributes = isKnown ? entry->Attributes : default;
        return isKnown;
    }

    /// <summary>Remembers all attributes as asked for at a moment, unless they have changed since.</summary>
    public void Remember(ushort storage, in FileAttributes attributes, ulong moment)
    {
        if (Holds(moment, LeaseKey.Attributes(attributes.Handle.Inode)))
        {
            RememberAccess(storage, in attributes, moment, isComplete: true);
        }
    }

    /// <summary>Remembers type, permissions, owner and group.</summary>
    public void RememberAccess(ushort storage, in FileAttributes attributes, ulong moment) =>
        RememberAccess(storage, in attributes, moment, isComplete: false);

    private void RememberAccess(ushort storage, in FileAttributes attributes, ulong moment, bool isComplete)
    {
        if (!_table.Exists || !Holds(moment, LeaseKey.Access(attributes.Handle.Inode)))
        {
            return;
        }

        RememberedFile* entry = Look(storage, in attributes.Handle);
        if (entry == null)
        {
            entry = _table.Oldest(HashOf(attributes.Handle.Inode));
            *entry = default;
            _table.Touch(entry);
        }

        entry->Storage = storage;
        entry->AccessMoment = moment;
        if (isComplete || !entry->IsComplete)
        {
            entry->Attributes = attributes;
            entry->Moment = moment;
            entry->IsComplete = isComplete;
        }
        else
        {
            entry->Attributes.Mode = attributes.Mode;
            entry->Attributes.UserId = attributes.UserId;
            entry->Attributes.GroupId = attributes.GroupId;
        }
    }

    private RememberedFile* LookComplete(ushort storage, in FileHandle handle)
    {
        RememberedFile* entry = Look(storage, in handle);
        bool isKnown = entry != null && entry->IsComplete && Holds(entry->AccessMoment, LeaseKey.Access(handle.Inode))
            && Holds(entry->Moment, LeaseKey.Attributes(handle.Inode));
        return isKnown ? entry : null;
    }

    private bool Holds(ulong moment, uint key) => _clock.Holds(moment, LeaseClock.SlotOf(key));

    private static uint HashOf(uint inode) => inode * 2654435761u;

    private RememberedFile* Look(ushort storage, in FileHandle handle)
    {
        for (int index = 0; _table.Exists && index < RecentTable<RememberedFile>.EntriesPerSet; index++)
        {
            RememberedFile* entry = _table.At(HashOf(handle.Inode), index);
            if (entry->Attributes.Handle.Inode == handle.Inode && entry->Attributes.Handle.Generation == handle.Generation
                && entry->Storage == storage)
            {
                _table.Touch(entry);
                return entry;
            }
        }

        return null;
    }
}
