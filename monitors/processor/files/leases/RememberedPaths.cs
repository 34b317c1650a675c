// Where paths led when the storage component was last asked: to a file, or to nothing (ENOENT, ENOTDIR); and what symbolic links said. A path is
// remembered as the program wrote it, with where it began and who asked, because permission to search the directories on the way is part of
// the answer; what it depends on is noted as slots of the lease clock: a right and a name for each component. Sets of four entries, of which the
// one used longest ago makes room; what is too long is not remembered. Pointers into the table are valid until the next wait. Never blocks.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One path and where it leads.</summary>
public unsafe struct RememberedPath
{
    internal const int MostSlots = 32;
    internal const int TextBytes = 376;

    internal ulong Moment;
    internal ulong UsedAt;
    internal FileHandle Start;
    internal FileHandle Found;
    internal uint Hash;
    internal uint UserId;
    internal uint GroupId;
    internal ushort Storage;
    internal ushort SlotCount;
    internal ushort WireLength;
    internal ushort CanonicalLength;
    internal LastLink Last;
    /// <summary>No link is on the way: it does not matter what Last says.</summary>
    internal bool IsPlain;
    internal bool IsUsed;
    /// <summary>None, ENOENT or ENOTDIR.</summary>
    internal Errno Error;
    internal fixed ushort Slots[MostSlots];
    internal fixed byte Text[TextBytes];
}

/// <summary>Ways that were walked lately.</summary>
public sealed unsafe class RememberedPaths
{
    private const int EntriesPerSet = 4;
    private const int SetsPerPage = PageOperations.PageSize / (EntriesPerSet * EntryBytes);
    private const int EntryBytes = 512;
    /// <summary>The part of the memory that this takes: one page in so many.</summary>
    private const ulong MemoryShare = 128;
    private const ulong MostPages = 512;

    private readonly LeaseClock _clock;
    private readonly byte* _table;
    private readonly uint _sets;
    private ulong _uses;

    /// <summary>Boot time; without memory nothing is remembered.</summary>
    public RememberedPaths(FrameAllocator frames, LeaseClock clock)
    {
        if (sizeof(RememberedPath) > EntryBytes)
        {
            Panic.Because("RememberedPaths: an entry is larger than its place");
        }

        _clock = clock;
        ulong pages = Math.Max(1, Math.Min(MostPages, frames.TotalPages / MemoryShare));
        _table = (byte*)frames.AllocateContiguous(pages);
        for (ulong page = 0; _table != null && page < pages; page++)
        {
            PageOperations.Clear(_table + (page * PageOperations.PageSize));
        }

        _sets = _table == null ? 0 : (uint)pages * SetsPerPage;
    }

    public ulong Hits { get; private set; }

    public ulong Misses { get; private set; }

    /// <summary>Where a path leads, if that is known and still true; else null.</summary>
    public RememberedPath* Find(in FileCaller caller, scoped in VolumePath path, LastLink last)
    {
        bool fits = _sets != 0 && path.Wire.Length <= RememberedPath.TextBytes;
        RememberedPath* entry = fits ? Look(in caller, in path, last, HashOf(in path)) : null;
        if (entry == null || !_clock.Holds(entry->Moment, new ReadOnlySpan<ushort>(entry->Slots, entry->SlotCount)))
        {
            Misses++;
            return null;
        }

        Hits++;
        entry->UsedAt = ++_uses;
        return entry;
    }

    /// <summary>The path without links, or what a link says; valid as long as the entry.</summary>
    public static ReadOnlySpan<byte> CanonicalOf(RememberedPath* entry) => new(entry->Text + entry->WireLength, entry->CanonicalLength);

    /// <summary>Remembers where a path led when it was asked for, unless something on its way has changed since.</summary>
    public void Remember(
        in FileCaller caller, scoped in VolumePath path, LastLink last, PathLease lease, ulong moment, Errno error, in FileHandle found,
        scoped ReadOnlySpan<byte> canonical, scoped ReadOnlySpan<uint> keys)
    {
        bool fits = path.Wire.Length + canonical.Length <= RememberedPath.TextBytes && keys.Length <= RememberedPath.MostSlots;
        if (_sets == 0 || !fits || (path.IsRelative ? path.Wire.Length == path.StartLength : path.Wire.Length == 0))
        {
            return;
        }

        uint hash = HashOf(in path);
        RememberedPath* entry = Look(in caller, in path, last, hash);
        entry = entry == null ? Oldest(hash) : entry;
        entry->SlotCount = (ushort)keys.Length;
        for (int index = 0; index < keys.Length; index++)
        {
            entry->Slots[index] = LeaseClock.SlotOf(keys[index]);
        }

        entry->IsUsed = _clock.Holds(moment, new ReadOnlySpan<ushort>(entry->Slots, entry->SlotCount));
        entry->Moment = moment;
        entry->UsedAt = ++_uses;
        entry->Start = path.Handle;
        entry->Found = found;
        entry->Hash = hash;
        entry->UserId = caller.UserId;
        entry->GroupId = caller.GroupId;
        entry->Storage = caller.Place.Storage;
        entry->Last = last;
        entry->IsPlain = lease == PathLease.Plain;
        entry->Error = error;
        entry->WireLength = (ushort)path.Wire.Length;
        entry->CanonicalLength = (ushort)canonical.Length;
        Span<byte> text = new(entry->Text, RememberedPath.TextBytes);
        path.Wire.CopyTo(text);
        canonical.CopyTo(text.Slice(path.Wire.Length));
    }

    private static uint HashOf(scoped in VolumePath path) => Crc32c.Add(path.Handle.Inode, path.Wire);

    private RememberedPath* SetOf(uint hash) => (RememberedPath*)(_table + ((hash % _sets) * (EntriesPerSet * EntryBytes)));

    private static RememberedPath* At(RememberedPath* set, int index) => (RememberedPath*)((byte*)set + (index * EntryBytes));

    private RememberedPath* Look(in FileCaller caller, scoped in VolumePath path, LastLink last, uint hash)
    {
        RememberedPath* set = SetOf(hash);
        for (int index = 0; index < EntriesPerSet; index++)
        {
            RememberedPath* entry = At(set, index);
            if (entry->IsUsed && entry->Hash == hash && (entry->Last == last || entry->IsPlain) && entry->UserId == caller.UserId && entry->GroupId == caller.GroupId
                && entry->Storage == caller.Place.Storage && entry->Start.Inode == path.Handle.Inode
                && entry->Start.Generation == path.Handle.Generation
                && path.Wire.SequenceEqual(new ReadOnlySpan<byte>(entry->Text, entry->WireLength)))
            {
                return entry;
            }
        }

        return null;
    }

    private RememberedPath* Oldest(uint hash)
    {
        RememberedPath* set = SetOf(hash);
        RememberedPath* oldest = set;
        for (int index = 0; index < EntriesPerSet; index++)
        {
            RememberedPath* entry = At(set, index);
            if (!entry->IsUsed)
            {
                return entry;
            }

            oldest = entry->UsedAt < oldest->UsedAt ? entry : oldest;
        }

        return oldest;
    }
}
