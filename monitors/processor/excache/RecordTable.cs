// A sorted table of records that begin with a 64-bit start address, in pages of their own: the cached ranges and vRegions of an address
// space. Each reply of the home replaces the whole table. Look-up is a binary search that first tries the record found last time. Never
// blocks. ENOMEM when there are more records than MaxRecords or no page is left.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Records in ascending order of their first field.</summary>
public unsafe struct RecordTable<T> where T : unmanaged
{
    private const int PerPageShift = 7;
    private const int PerPage = 1 << PerPageShift;
    private const int MaxPages = 32;

    /// <summary>Most records of a table.</summary>
    public const int MaxRecords = PerPage * MaxPages;

    private int _count;
    private int _last;
    private Pages _pages;

    [InlineArray(MaxPages)]
    private struct Pages
    {
        private ulong _first;
    }

    public readonly int Count => _count;

    /// <summary>Record <paramref name="index"/>, which must be below Count.</summary>
    public readonly ref T this[int index] => ref ((T*)_pages[index >> PerPageShift])[index & (PerPage - 1)];

    /// <summary>Makes room for so many records, so that a later Replace with no more of them cannot fail. ENOMEM.</summary>
    public Errno Reserve(FrameAllocator frames, int records)
    {
        if (records > MaxRecords)
        {
            return Errno.ENOMEM;
        }

        for (int page = 0; page << PerPageShift < records; page++)
        {
            if (_pages[page] == 0)
            {
                _pages[page] = (ulong)frames.Allocate();
                if (_pages[page] == 0)
                {
                    return Errno.ENOMEM;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>Replaces the table. On ENOMEM the table is as before.</summary>
    public Errno Replace(FrameAllocator frames, ReadOnlySpan<T> records)
    {
        Errno error = Reserve(frames, records.Length);
        if (error != Errno.None)
        {
            return error;
        }

        for (int index = 0; index < records.Length; index++)
        {
            ((T*)_pages[index >> PerPageShift])[index & (PerPage - 1)] = records[index];
        }

        _count = records.Length;
        _last = 0;
        return Errno.None;
    }

    /// <summary>Replaces the table by another one. ENOMEM; the table is then as before.</summary>
    public Errno Copy(FrameAllocator frames, ref RecordTable<T> from)
    {
        Errno error = Reserve(frames, from._count);
        if (error == Errno.None)
        {
            for (int index = 0; index < from._count; index++)
            {
                this[index] = from[index];
            }

            _count = from._count;
            _last = 0;
        }

        return error;
    }

    /// <summary>Gives all memory back.</summary>
    public void Clear(FrameAllocator frames)
    {
        _count = 0;
        _last = 0;
        for (int page = 0; page < MaxPages; page++)
        {
            if (_pages[page] != 0)
            {
                frames.Free((void*)_pages[page]);
                _pages[page] = 0;
            }
        }
    }

    /// <summary>Index of the last record that starts at or below the address; -1 when there is none.</summary>
    public int FindAtOrBelow(ulong address)
    {
        int last = _last;
        if (last < _count && StartOf(last) <= address && (last + 1 == _count || StartOf(last + 1) > address))
        {
            return last;
        }

        int low = 0;
        int high = _count;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (StartOf(middle) <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low > 0)
        {
            _last = low - 1;
        }

        return low - 1;
    }

    private readonly ulong StartOf(int index) => Unsafe.As<T, ulong>(ref this[index]);
}
