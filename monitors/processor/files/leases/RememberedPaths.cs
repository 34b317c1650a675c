// Where paths led when the storage component was last asked: to a file, or to nothing (ENOENT, ENOTDIR); and what symbolic links said. A
// path is remembered as the program wrote it, with where it began and who asked, because permission to search the directories on the way is
// part of the answer; what it depends on is noted as slots of the lease clock: a right and a name for each component. Those used longest
// ago make room (RecentTable.cs); what is too long, groups of who asked included, is not remembered. Pointers into the table are valid
// until the next wait. Never blocks.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One path and where it leads.</summary>
public unsafe struct RememberedPath
{
    internal const int MostSlots = 32;
    internal const int TextBytes = 372;

    internal ulong Moment;
    internal FileHandle Start;
    internal FileHandle Found;
    internal uint Hash;
    internal uint UserId;
    internal uint GroupId;
    internal ushort VNode;
    internal ushort Storage;
    internal ushort SlotCount;
    internal ushort WireLength;
    internal ushort CanonicalLength;
    internal ushort GroupCount;
    internal LastLink Last;
    /// <summary>No link is on the way: it does not matter what Last says.</summary>
    internal bool IsPlain;
    internal bool IsUsed;
    /// <summary>None, ENOENT or ENOTDIR.</summary>
    internal Errno Error;
    internal fixed ushort Slots[MostSlots];
    /// <summary>The path as it was sent, where it leads without links, and the supplementary groups of who asked.</summary>
    internal fixed byte Text[TextBytes];
}

/// <summary>Ways that were walked lately.</summary>
public sealed unsafe class RememberedPaths
{
    /// <summary>The part of the memory that this takes: one page in so many.</summary>
    private const ulong MemoryShare = 128;
    private const ulong MostPages = 512;

    private readonly LeaseClock _clock;
    private readonly RecentTable<RememberedPath> _table;

    /// <summary>Boot time; without memory nothing is remembered.</summary>
    public RememberedPaths(FrameAllocator frames, LeaseClock clock)
    {
        _clock = clock;
        _table = new RecentTable<RememberedPath>(frames, MemoryShare, MostPages);
    }

    public ulong Hits { get; private set; }

    public ulong Misses { get; private set; }

    /// <summary>Where a path leads, if that is known and still true; else null.</summary>
    public RememberedPath* Find(in FileCaller caller, scoped in VolumePath path, LastLink last)
    {
        bool fits = _table.Exists && path.Wire.Length <= RememberedPath.TextBytes;
        RememberedPath* entry = fits ? Look(in caller, in path, last, HashOf(in path)) : null;
        if (entry == null || !_clock.Holds(entry->Moment, new ReadOnlySpan<ushort>(entry->Slots, entry->SlotCount)))
        {
            Misses++;
            return null;
        }

        Hits++;
        _table.Touch(entry);
        return entry;
    }

    /// <summary>The path without links, or what a link says; valid as long as the entry.</summary>
    public static ReadOnlySpan<byte> CanonicalOf(RememberedPath* entry) => new(entry->Text + entry->WireLength, entry->CanonicalLength);

    /// <summary>
    /// Remembers where a path led when it was asked for, unless something on its way has changed since. The caller is who has asked, with
    /// the groups that were sent: those of his process may be others by now.
    /// </summary>
    public void Remember(
        in FileCaller caller, scoped in VolumePath path, LastLink last, PathLease lease, ulong moment, Errno error, in FileHandle found,
        scoped ReadOnlySpan<byte> canonical, scoped ReadOnlySpan<uint> keys)
    {
        ReadOnlySpan<byte> groups = MemoryMarshal.AsBytes(caller.GroupsToSend);
        bool fits = path.Wire.Length + canonical.Length + groups.Length <= RememberedPath.TextBytes
            && keys.Length <= RememberedPath.MostSlots;
        if (!_table.Exists || !fits
            || (path.IsRelative ? path.Wire.Length == path.StartLength : path.Wire.Length == 0))
        {
            return;
        }

        uint hash = HashOf(in path);
        RememberedPath* entry = Look(in caller, in path, last, hash);
        entry = entry == null ? _table.Oldest(hash) : entry;
        entry->SlotCount = (ushort)keys.Length;
        for (int index = 0; index < keys.Length; index++)
        {
            entry->Slots[index] = LeaseClock.SlotOf(keys[index]);
        }

        entry->IsUsed = _clock.Holds(moment, new ReadOnlySpan<ushort>(entry->Slots, entry->SlotCount));
        entry->Moment = moment;
        _table.Touch(entry);
        entry->Start = path.Handle;
        entry->Found = found;
        entry->Hash = hash;
        entry->UserId = caller.UserId;
        entry->GroupId = caller.GroupId;
        entry->VNode = caller.Context.VNode;
        entry->Storage = caller.Place.Storage;
        entry->Last = last;
        entry->IsPlain = lease == PathLease.Plain;
        entry->Error = error;
        entry->WireLength = (ushort)path.Wire.Length;
        entry->CanonicalLength = (ushort)canonical.Length;
        entry->GroupCount = (ushort)caller.GroupsToSend.Length;
        Span<byte> text = new(entry->Text, RememberedPath.TextBytes);
        path.Wire.CopyTo(text);
        canonical.CopyTo(text.Slice(path.Wire.Length));
        groups.CopyTo(text.Slice(path.Wire.Length + canonical.Length));
    }

    private static ReadOnlySpan<byte> GroupsOf(RememberedPath* entry) =>
        new(entry->Text + entry->WireLength + entry->CanonicalLength, entry->GroupCount * sizeof(uint));

    private static uint HashOf(scoped in VolumePath path) => Crc32c.Add(path.Handle.Inode, path.Wire);

    private RememberedPath* Look(in FileCaller caller, scoped in VolumePath path, LastLink last, uint hash)
    {
        for (int index = 0; index < RecentTable<RememberedPath>.EntriesPerSet; index++)
        {
            RememberedPath* entry = _table.At(hash, index);
            if (entry->IsUsed && entry->Hash == hash && (entry->Last == last || entry->IsPlain) && entry->UserId == caller.UserId
                && entry->GroupId == caller.GroupId && MemoryMarshal.AsBytes(caller.GroupsToSend).SequenceEqual(GroupsOf(entry))
                && entry->VNode == caller.Context.VNode && entry->Storage == caller.Place.Storage
                && entry->Start.Inode == path.Handle.Inode
                && entry->Start.Generation == path.Handle.Generation
                && path.Wire.SequenceEqual(new ReadOnlySpan<byte>(entry->Text, entry->WireLength)))
            {
                return entry;
            }
        }

        return null;
    }
}
