// A table of a fixed size for what was asked for lately: sets of four entries, chosen by a hash, of which the one used longest ago makes
// room. What an entry holds, and whether it is still true, is its user's business. Pointers into it are valid until the next wait. Never
// blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Entries found by hash, four to a set. An entry that was never used is all zero.</summary>
internal sealed unsafe class RecentTable<T>
    where T : unmanaged
{
    internal const int EntriesPerSet = 4;

    private readonly Entry* _entries;
    private readonly uint _sets;
    private ulong _uses;

    /// <summary>The stamp stands before the value, so that a pointer to the value leads to it.</summary>
    private struct Entry
    {
        internal ulong UsedAt;
        internal T Value;
    }

    /// <summary>Boot time: takes one page in <paramref name="share"/>, at most so many; without memory nothing is remembered.</summary>
    internal RecentTable(FrameAllocator frames, ulong share, ulong mostPages)
    {
        ulong pages = Math.Max(1, Math.Min(mostPages, frames.TotalPages / share));
        _entries = (Entry*)frames.AllocateContiguous(pages);
        for (ulong page = 0; _entries != null && page < pages; page++)
        {
            PageOperations.Clear((byte*)_entries + (page * PageOperations.PageSize));
        }

        _sets = _entries == null ? 0 : (uint)(pages * PageOperations.PageSize / (ulong)(EntriesPerSet * sizeof(Entry)));
    }

    /// <summary>False: there was no memory, and no other member may be used.</summary>
    internal bool Exists => _sets != 0;

    /// <summary>An entry of the set of a hash.</summary>
    internal T* At(uint hash, int index) => &(SetOf(hash) + index)->Value;

    /// <summary>Says that an entry has been used.</summary>
    internal void Touch(T* entry) => ((Entry*)((byte*)entry - sizeof(ulong)))->UsedAt = ++_uses;

    /// <summary>The entry of a set that makes room for another.</summary>
    internal T* Oldest(uint hash)
    {
        Entry* set = SetOf(hash);
        Entry* oldest = set;
        for (int index = 1; index < EntriesPerSet; index++)
        {
            oldest = set[index].UsedAt < oldest->UsedAt ? set + index : oldest;
        }

        return &oldest->Value;
    }

    private Entry* SetOf(uint hash) => _entries + ((hash % _sets) * EntriesPerSet);
}
