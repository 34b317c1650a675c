// A hash of full paths: the inode of a path that was walked lately is found in one step instead of one per component (LegoOS's storage
// component knows files by full path only). Keys are canonical paths, so a path through a link, "." or ".." never matches and is walked. A
// bucket holds one path; a new one takes its place. Removing or renaming a file forgets its path, renaming a directory forgets everything.
// Works on memory only; used for callers whose permissions need no checking on the way.

using System;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Storage;

/// <summary>Full path to inode.</summary>
public sealed unsafe class PathTable
{
    private const uint Buckets = 1024;
    private const int MaxPathBytes = 240;

    private readonly Entry* _entries;
    private uint _age = 1;

    /// <summary>Exactly 256 bytes, so that a frame holds 16.</summary>
    private struct Entry
    {
        public uint Hash;
        public uint Inode;
        /// <summary>The table's age when the entry was made; another age = empty.</summary>
        public uint Age;
        public int Length;
        public fixed byte Path[MaxPathBytes];
    }

    /// <summary>Boot time. Without memory for it the table stays empty.</summary>
    public PathTable(FrameAllocator frames)
    {
        ulong pages = Buckets * (ulong)sizeof(Entry) / PageOperations.PageSize;
        _entries = (Entry*)frames.AllocateContiguous(pages);
        for (ulong page = 0; _entries != null && page < pages; page++)
        {
            PageOperations.Clear((byte*)_entries + (page * PageOperations.PageSize));
        }
    }

    public ulong Hits { get; private set; }

    public ulong Misses { get; private set; }

    /// <summary>
    /// The inode that the path led to when it was last walked, if nothing has changed that since, and the table's copy of the path (until
    /// the next change of the table).
    /// </summary>
    public bool TryFind(scoped ReadOnlySpan<byte> path, out uint inode, out ReadOnlySpan<byte> stored)
    {
        Entry* entry = Find(path);
        inode = 0;
        stored = default;
        if (entry == null)
        {
            Misses++;
            return false;
        }

        Hits++;
        inode = entry->Inode;
        stored = new ReadOnlySpan<byte>(entry->Path, entry->Length);
        return true;
    }

    /// <summary>Enters a canonical path; one that is too long is left out.</summary>
    public void Remember(scoped ReadOnlySpan<byte> path, uint inode)
    {
        if (_entries == null || path.Length > MaxPathBytes)
        {
            return;
        }

        uint hash = Crc32c.Add(Crc32c.Start, path);
        Entry* entry = _entries + (hash % Buckets);
        entry->Hash = hash;
        entry->Inode = inode;
        entry->Age = _age;
        entry->Length = path.Length;
        path.CopyTo(new Span<byte>(entry->Path, MaxPathBytes));
    }

    /// <summary>The path may lead elsewhere from now on.</summary>
    public void Forget(scoped ReadOnlySpan<byte> path)
    {
        Entry* entry = Find(path);
        if (entry != null)
        {
            entry->Age = 0;
        }
    }

    /// <summary>All paths may lead elsewhere from now on.</summary>
    public void ForgetAll()
    {
        _age++;
        if (_age == 0)
        {
            // Ages are about to repeat: let no entry of the first round live.
            for (uint i = 0; _entries != null && i < Buckets; i++)
            {
                _entries[i].Age = 0;
            }

            _age = 1;
        }
    }

    private Entry* Find(scoped ReadOnlySpan<byte> path)
    {
        if (_entries == null || path.Length > MaxPathBytes)
        {
            return null;
        }

        uint hash = Crc32c.Add(Crc32c.Start, path);
        Entry* entry = _entries + (hash % Buckets);
        bool same = entry->Age == _age && entry->Hash == hash && entry->Length == path.Length
            && new ReadOnlySpan<byte>(entry->Path, entry->Length).SequenceEqual(path);
        return same ? entry : null;
    }
}
