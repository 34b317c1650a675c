// The objects whose pages lines can be of, by number: a line of a file is named by object and page index, whoever maps it. An object's
// number outlives its last user as long as lines of it may be resident, so that whoever uses the file next finds them. When all numbers are
// in use, one that nobody uses is given to another object; its lines go first (ExCache.NumberOf).
//
// An object is told from all others by its identity, never by a path: the volume, the inode, and the generation of the inode number.
// Made at boot. Nothing here blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What an object is, in the whole rack and for ever.</summary>
public struct ObjectIdentity
{
    public FileHandle Handle;
    /// <summary>The storage component that has the volume.</summary>
    public ushort Volume;

    public readonly bool Is(in ObjectIdentity other) =>
        Handle.Inode == other.Handle.Inode && Handle.Generation == other.Handle.Generation && Volume == other.Volume;
}

/// <summary>Numbers of objects; 0 is none.</summary>
public sealed unsafe class LineObjects
{
    /// <summary>Objects that are in use or have resident lines.</summary>
    public const uint MaxObjects = 2048;

    private readonly Entry* _entries;
    private readonly ushort* _buckets;
    private uint _hand;

    /// <summary>An object with a number.</summary>
    private struct Entry
    {
        public ObjectIdentity Identity;
        /// <summary>Next in the bucket, 0 = the last.</summary>
        public ushort Next;
        public bool IsKnown;
        /// <summary>Holds of the number; while there is one, the number stays the object's.</summary>
        public uint Users;
        /// <summary>Resident and filling lines.</summary>
        public uint Lines;
        /// <summary>Those of them that MAP_SHARED mappings show, or that are on their way to the owner.</summary>
        public uint Storing;
        /// <summary>First of the written lines, counted from 1; 0 = there is none.</summary>
        public int FirstWritten;
        /// <summary>Grows with every change of the contents.</summary>
        public uint Version;
        /// <summary>A call is changing the contents (ExCache.BeginSharedChange).</summary>
        public bool IsBusy;
    }

    /// <summary>Takes the memory; boot time.</summary>
    public LineObjects(FrameAllocator frames)
    {
        _entries = (Entry*)ExCache.AllocateTable(frames, (MaxObjects + 1) * (ulong)sizeof(Entry));
        _buckets = (ushort*)ExCache.AllocateTable(frames, MaxObjects * sizeof(ushort));
        if (_entries == null || _buckets == null)
        {
            Panic.Because("LineObjects: no memory at boot");
        }

        new Span<Entry>(_entries, (int)MaxObjects + 1).Clear();
        new Span<ushort>(_buckets, (int)MaxObjects).Clear();
    }

    /// <summary>The number of an object, 0 when it has none.</summary>
    public uint Find(in ObjectIdentity identity)
    {
        uint number = *Bucket(in identity);
        while (number != 0 && !_entries[number].Identity.Is(in identity))
        {
            number = _entries[number].Next;
        }

        return number;
    }

    /// <summary>
    /// A number that nobody uses, for an object without one: the caller drops its lines, then calls <see cref="Assign"/>. 0 when all are in
    /// use.
    /// </summary>
    public uint FindUnused()
    {
        uint found = 0;
        for (uint tries = 0; tries < MaxObjects; tries++)
        {
            _hand = (_hand % MaxObjects) + 1;
            if (_entries[_hand].Users != 0)
            {
                continue;
            }

            if (_entries[_hand].Lines == 0)
            {
                return _hand;
            }

            found = found == 0 ? _hand : found;
        }

        return found;
    }

    /// <summary>Gives a number that nobody uses, and of which there are no lines, to an object.</summary>
    public void Assign(uint number, in ObjectIdentity identity)
    {
        Entry* entry = _entries + number;
        if (entry->IsKnown)
        {
            ushort* link = Bucket(in entry->Identity);
            while (*link != number)
            {
                link = &_entries[*link].Next;
            }

            *link = entry->Next;
        }

        ushort* bucket = Bucket(in identity);
        // A fill that began for the former object must not end for this one.
        *entry = new Entry { Identity = identity, IsKnown = true, Next = *bucket, Version = entry->Version + 1 };
        *bucket = (ushort)number;
    }

    /// <summary>Which object a number that is held names.</summary>
    public ObjectIdentity IdentityOf(uint number) => _entries[number].Identity;

    public void Hold(uint number) => _entries[number].Users++;

    public void Release(uint number) => _entries[number].Users--;

    /// <summary>Lines that bear the object's name.</summary>
    public uint LinesOf(uint number) => _entries[number].Lines;

    internal void AddLine(uint number) => _entries[number].Lines++;

    internal void RemoveLine(uint number) => _entries[number].Lines--;

    /// <summary>Lines of the object that mappings may store into.</summary>
    internal ref uint StoringOf(uint number) => ref _entries[number].Storing;

    /// <summary>The first of the object's written lines, which are linked by Newer, counted from 1; 0 = there is none.</summary>
    internal ref int FirstWritten(uint number) => ref _entries[number].FirstWritten;

    internal ref bool IsBusy(uint number) => ref _entries[number].IsBusy;

    /// <summary>The contents have changed: whatever was on its way before is stale.</summary>
    internal void Change(uint number) => _entries[number].Version++;

    /// <summary>Tells whether the contents have changed since an earlier look.</summary>
    public uint VersionOf(uint number) => _entries[number].Version;

    private ushort* Bucket(in ObjectIdentity identity) =>
        _buckets + ((((identity.Handle.Inode * 31) + identity.Volume) * 2654435761u) % MaxObjects);
}
