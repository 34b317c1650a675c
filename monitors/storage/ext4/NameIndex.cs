// Where the names of large directories stand: for each of the few that were used last a hash table in memory, from the hash of a name to
// the block that has it. It is made from the directory's blocks when a name is first sought, and follows every change; several names may
// have one hash, so the block tells. Without memory there is none, and the blocks are read in a row. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>Hash tables of directories.</summary>
public sealed unsafe class NameIndex(FrameAllocator frames)
{
    /// <summary>A directory of so many blocks is worth a table.</summary>
    public const uint LeastBlocks = 4;

    private const int Most = 4;
    private const ulong LeastSlots = 2048;
    private const ulong SlotsPerPage = PageOperations.PageSize / sizeof(ulong);
    /// <summary>One table takes at most one page in so many of those that are free.</summary>
    private const ulong MemoryShare = 8;
    /// <summary>In the low half of a slot: the name has gone, and those behind are still to be looked at.</summary>
    private const uint Gone = uint.MaxValue;

    private readonly FrameAllocator _frames = frames;
    private readonly Table[] _tables = new Table[Most];
    private ulong _uses;

    /// <summary>A directory's names. A slot is empty (0), or a hash above a block's number + 1.</summary>
    private struct Table
    {
        internal uint Directory;
        internal ulong* Slots;
        internal ulong Count;
        /// <summary>Slots that are not empty.</summary>
        internal ulong Used;
        internal ulong LastUse;
    }

    /// <summary>Names of one hash on their way; zero-initialised = at the beginning.</summary>
    public struct Probe
    {
        internal ulong Step;
    }

    /// <summary>The hash of a name (FNV-1a).</summary>
    public static uint HashOf(ReadOnlySpan<byte> name)
    {
        const uint Prime = 16777619;
        uint hash = 2166136261;
        foreach (byte letter in name)
        {
            hash = (hash ^ letter) * Prime;
        }

        return hash;
    }

    /// <summary>True when there is a table of a directory.</summary>
    public bool Knows(uint directory)
    {
        int index = IndexOf(directory);
        if (index >= 0)
        {
            _tables[index].LastUse = ++_uses;
        }

        return index >= 0;
    }

    /// <summary>Makes an empty table, in the place of the one used longest ago; false without memory.</summary>
    public bool Begin(uint directory)
    {
        int oldest = 0;
        for (int index = 1; index < Most; index++)
        {
            oldest = _tables[index].LastUse < _tables[oldest].LastUse ? index : oldest;
        }

        Free(ref _tables[oldest]);
        ulong* slots = Allocate(LeastSlots);
        if (slots == null)
        {
            return false;
        }

        _tables[oldest] = new Table { Directory = directory, Slots = slots, Count = LeastSlots, LastUse = ++_uses };
        return true;
    }

    /// <summary>A directory has another name now. Without memory for it the table goes.</summary>
    public void Add(uint directory, uint hash, uint block)
    {
        int index = IndexOf(directory);
        if (index < 0)
        {
            return;
        }

        ref Table table = ref _tables[index];
        if (table.Used * 4 >= table.Count * 3 && !Renew(ref table))
        {
            Free(ref table);
            return;
        }

        Put(ref table, ((ulong)hash << 32) | (block + 1));
    }

    /// <summary>A name has gone from a block.</summary>
    public void Remove(uint directory, uint hash, uint block)
    {
        int index = IndexOf(directory);
        Probe probe = default;
        while (index >= 0 && TryNext(directory, hash, ref probe, out uint candidate))
        {
            if (candidate == block)
            {
                ref Table table = ref _tables[index];
                table.Slots[(hash + probe.Step - 1) & (table.Count - 1)] = ((ulong)hash << 32) | Gone;
                return;
            }
        }
    }

    /// <summary>The next block that has a name of this hash; false: there is none.</summary>
    public bool TryNext(uint directory, uint hash, ref Probe probe, out uint block)
    {
        block = 0;
        int index = IndexOf(directory);
        if (index < 0)
        {
            return false;
        }

        ref Table table = ref _tables[index];
        while (probe.Step < table.Count)
        {
            ulong slot = table.Slots[(hash + probe.Step++) & (table.Count - 1)];
            if (slot == 0)
            {
                return false;
            }

            if (slot >> 32 == hash && (uint)slot != Gone)
            {
                block = (uint)slot - 1;
                return true;
            }
        }

        return false;
    }

    /// <summary>Nothing is known of a directory any more.</summary>
    public void Forget(uint directory)
    {
        int index = IndexOf(directory);
        if (index >= 0)
        {
            Free(ref _tables[index]);
        }
    }

    private int IndexOf(uint directory)
    {
        int index = Most - 1;
        while (index >= 0 && (_tables[index].Slots == null || _tables[index].Directory != directory))
        {
            index--;
        }

        return index;
    }

    private static void Put(ref Table table, ulong slot)
    {
        ulong at = slot >> 32;
        while (table.Slots[at & (table.Count - 1)] != 0)
        {
            at++;
        }

        table.Slots[at & (table.Count - 1)] = slot;
        table.Used++;
    }

    /// <summary>
    /// New slots without the names that have gone: twice as many, unless that leaves half of them empty anyway.
    /// </summary>
    private bool Renew(ref Table table)
    {
        ulong names = 0;
        for (ulong index = 0; index < table.Count; index++)
        {
            names += IsName(table.Slots[index]) ? 1UL : 0;
        }

        Table renewed = table;
        renewed.Count *= names * 2 > table.Count ? 2UL : 1;
        renewed.Used = 0;
        renewed.Slots = Allocate(renewed.Count);
        if (renewed.Slots == null)
        {
            return false;
        }

        for (ulong index = 0; index < table.Count; index++)
        {
            if (IsName(table.Slots[index]))
            {
                Put(ref renewed, table.Slots[index]);
            }
        }

        Free(ref table);
        table = renewed;
        return true;
    }

    private static bool IsName(ulong slot) => slot != 0 && (uint)slot != Gone;

    private ulong* Allocate(ulong slots)
    {
        ulong pages = slots / SlotsPerPage;
        byte* memory = pages * MemoryShare > _frames.FreePages ? null : (byte*)_frames.AllocateContiguous(pages);
        for (ulong page = 0; memory != null && page < pages; page++)
        {
            PageOperations.Clear(memory + (page * PageOperations.PageSize));
        }

        return (ulong*)memory;
    }

    private void Free(ref Table table)
    {
        if (table.Slots != null)
        {
            _frames.FreeContiguous(table.Slots, table.Count / SlotsPerPage);
        }

        table = default;
    }
}
