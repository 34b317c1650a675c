// A window onto a stream of bytes, kept in page frames: bytes are added behind its end, or further on where there are holes before them,
// and taken from its start. A byte's place is its position: the frame is position / 4096 modulo the number of slots. So nothing ever moves,
// any byte is found at once, and a hole costs no frame. Four slots lie in the struct; more are in a frame of their own. Empty, it holds
// nothing.
//
// The struct does not know which bytes beyond Length are there; whoever writes out of order keeps the ranges. Never blocks.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Bytes of one direction of one socket. Zero-initialised = empty.</summary>
public unsafe struct StreamBuffer
{
    /// <summary>The most that a buffer holds: the slots of a directory, less the page of which the start has used a part.</summary>
    public const uint MaximumBytes = (DirectorySlots - 1) * PageOperations.PageSize;

    private const uint InlineSlots = 4;
    private const uint DirectorySlots = PageOperations.PageSize / sizeof(ulong);
    private const uint PageBytes = PageOperations.PageSize;
    private const int PageShift = 12;

    private ulong** _directory;
    private Slots _inline;
    private uint _start;

    [InlineArray((int)InlineSlots)]
    private struct Slots
    {
        private ulong _first;
    }

    /// <summary>Bytes from the start on without a hole.</summary>
    public uint Length { get; private set; }

    /// <summary>Adds bytes behind the end; gives how many there was memory for.</summary>
    public uint Append(NetworkMemory memory, ReadOnlySpan<byte> bytes)
    {
        uint written = Write(memory, Length, bytes);
        Length += written;
        return written;
    }

    /// <summary>
    /// Puts bytes at an offset from the start, and leaves Length alone. Gives how many there was memory for, from the first on. Bytes that
    /// lie there already are replaced by what should be the same.
    /// </summary>
    public uint Write(NetworkMemory memory, uint offset, ReadOnlySpan<byte> bytes)
    {
        if (offset + (uint)bytes.Length > MaximumBytes || !HasRoom(memory, offset + (uint)bytes.Length))
        {
            return 0;
        }

        uint written = 0;
        while (written < (uint)bytes.Length)
        {
            uint position = _start + offset + written;
            ref ulong slot = ref SlotOf(position);
            if (slot == 0)
            {
                slot = (ulong)memory.Allocate();
                if (slot == 0)
                {
                    break;
                }
            }

            uint inPage = position & (PageBytes - 1);
            uint piece = Math.Min(PageBytes - inPage, (uint)bytes.Length - written);
            bytes.Slice((int)written, (int)piece).CopyTo(new Span<byte>((byte*)slot + inPage, (int)piece));
            written += piece;
        }

        return written;
    }

    /// <summary>Bytes behind the end that were written out of order have become part of the stream.</summary>
    public void Extend(uint lengthBytes) => Length += lengthBytes;

    /// <summary>The bytes from an offset on that lie in one frame, at most so many.</summary>
    public readonly ReadOnlySpan<byte> Piece(uint offset, uint limitBytes)
    {
        if (offset >= Length)
        {
            return default;
        }

        uint position = _start + offset;
        uint inPage = position & (PageBytes - 1);
        uint length = Math.Min(Math.Min(limitBytes, Length - offset), PageBytes - inPage);
        return new ReadOnlySpan<byte>((byte*)FrameOf(position) + inPage, (int)length);
    }

    /// <summary>Copies bytes from an offset on, all of which are there.</summary>
    public readonly void CopyTo(uint offset, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            ReadOnlySpan<byte> piece = Piece(offset, (uint)destination.Length);
            piece.CopyTo(destination);
            offset += (uint)piece.Length;
            destination = destination[piece.Length..];
        }
    }

    /// <summary>Takes bytes from the start.</summary>
    public void Consume(NetworkMemory memory, uint lengthBytes, bool isEmptyBeyond)
    {
        uint end = _start + lengthBytes;
        for (uint page = _start >> PageShift; page != end >> PageShift; page = (page + 1) & (uint.MaxValue >> PageShift))
        {
            Free(memory, page << PageShift);
        }

        _start = end;
        Length -= lengthBytes;
        if (Length == 0 && isEmptyBeyond)
        {
            Clear(memory);
        }
    }

    /// <summary>Frees what was written out of order, of which the last byte lies before an offset from the start.</summary>
    public void DropBeyond(NetworkMemory memory, uint endOffset)
    {
        uint first = (_start + Length + PageBytes - 1) >> PageShift;
        uint last = (_start + endOffset + PageBytes - 1) >> PageShift;
        // Beyond its slots the buffer begins anew.
        uint firstPage = _start >> PageShift;
        uint slots = _directory == null ? InlineSlots : DirectorySlots;
        uint count = Math.Min(last - firstPage, slots);
        for (uint index = first - firstPage; index < count; index++)
        {
            Free(memory, (firstPage + index) << PageShift);
        }

        if (Length == 0)
        {
            Clear(memory);
        }
    }

    /// <summary>Gives all frames back.</summary>
    public void Clear(NetworkMemory memory)
    {
        for (uint slot = 0; slot < (_directory == null ? InlineSlots : DirectorySlots); slot++)
        {
            Free(memory, slot << PageShift);
        }

        if (_directory != null)
        {
            memory.Free(_directory);
            _directory = null;
        }

        _start = 0;
        Length = 0;
    }

    /// <summary>Makes sure that there is a slot for each page up to the end of so many bytes.</summary>
    private bool HasRoom(NetworkMemory memory, uint endOffset)
    {
        if (_directory != null || (_start & (PageBytes - 1)) + endOffset <= InlineSlots * PageBytes)
        {
            return true;
        }

        ulong** directory = (ulong**)memory.Allocate();
        if (directory == null)
        {
            return false;
        }

        PageOperations.Clear(directory);
        uint firstPage = _start >> PageShift;
        for (uint page = firstPage; page != firstPage + InlineSlots; page++)
        {
            ref ulong slot = ref _inline[(int)(page % InlineSlots)];
            directory[page % DirectorySlots] = (ulong*)slot;
            slot = 0;
        }

        _directory = directory;
        return true;
    }

    private void Free(NetworkMemory memory, uint position)
    {
        ref ulong slot = ref SlotOf(position);
        if (slot != 0)
        {
            memory.Free((void*)slot);
            slot = 0;
        }
    }

    [UnscopedRef]
    private ref ulong SlotOf(uint position)
    {
        uint page = position >> PageShift;
        return ref _directory == null ? ref _inline[(int)(page % InlineSlots)] : ref *(ulong*)(_directory + (page % DirectorySlots));
    }

    private readonly ulong FrameOf(uint position)
    {
        uint page = position >> PageShift;
        return _directory == null ? _inline[(int)(page % InlineSlots)] : (ulong)_directory[page % DirectorySlots];
    }
}
