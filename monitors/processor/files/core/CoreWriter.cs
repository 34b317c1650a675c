// Bytes on their way into a core file: gathered in one frame and written when it is full. Nothing is written beyond RLIMIT_CORE, and
// nothing after an error; the positions go on, so the headers stay true. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes one core file from its beginning.</summary>
internal unsafe ref struct CoreWriter
{
    private readonly Process* _process;
    private readonly OpenFile* _file;
    private readonly byte* _frame;
    private readonly ulong _limitBytes;
    private int _gathered;
    private ulong _written;

    /// <summary>A writer that gathers in a frame of the caller's.</summary>
    internal CoreWriter(Process* process, OpenFile* file, byte* frame)
    {
        _process = process;
        _file = file;
        _frame = frame;
        _limitBytes = process->Limits[2 * ResourceLimit.Core];
        _gathered = 0;
        _written = 0;
        Error = Errno.None;
    }

    internal Errno Error { get; private set; }

    /// <summary>Where the next byte goes.</summary>
    internal readonly ulong Position => _written + (ulong)_gathered;

    internal void Add<T>(scoped in T value) where T : unmanaged => Add(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    internal void Add(scoped ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length != 0)
        {
            int room = Math.Min(PageOperations.PageSize - _gathered, bytes.Length);
            bytes.Slice(0, room).CopyTo(new Span<byte>(_frame + _gathered, room));
            _gathered += room;
            bytes = bytes.Slice(room);
            if (_gathered == PageOperations.PageSize)
            {
                Flush();
            }
        }
    }

    /// <summary>Zeros up to a position.</summary>
    internal void PadTo(ulong position)
    {
        while (Position < position)
        {
            Add((byte)0);
        }
    }

    /// <summary>Room for the next page, where nothing is gathered: at a page's position.</summary>
    internal readonly Span<byte> Page => new(_frame, PageOperations.PageSize);

    /// <summary>What is in <see cref="Page"/>.</summary>
    internal void AddPage()
    {
        _gathered = PageOperations.PageSize;
        Flush();
    }

    /// <summary>A page of zeros that takes no space; the position is that of a page.</summary>
    internal void SkipPage() => _written += PageOperations.PageSize;

    /// <summary>Writes what is gathered.</summary>
    internal void Flush()
    {
        int length = (int)Math.Min((ulong)_gathered, _limitBytes - Math.Min(_limitBytes, _written));
        if (length != 0 && Error == Errno.None)
        {
            IoVector from = IoVector.OfKernel(_frame, (ulong)length);
            ulong position = _written;
            long result = _file->Operations.Write(_process, _file, ref position, ref from);
            Error = result < 0 ? (Errno)(-result) : Errno.None;
        }

        _written += (ulong)_gathered;
        _gathered = 0;
    }

    /// <summary>Gives the file its whole length, which ends with pages that were skipped.</summary>
    internal void Finish()
    {
        Flush();
        ulong length = Math.Min(_written, _limitBytes);
        Errno error = Error == Errno.None ? RegularFile.Resize(_process, _file->Node, length, FileWriteFlags.GrowOnly) : Error;
        Error = error;
    }
}
