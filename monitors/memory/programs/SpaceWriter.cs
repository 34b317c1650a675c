// Writes bytes into an address space that is being built: gives its pages frames, as a write-back would. May block when memory is short.

using System;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>A space and what is needed to give its pages frames.</summary>
internal readonly unsafe ref struct SpaceWriter
{
    private const int FramesPerPage = 3;

    private readonly AddressSpace* _space;
    private readonly FrameMap _frames;
    private readonly FileCache _files;

    internal SpaceWriter(AddressSpace* space, FrameMap frames, FileCache files)
    {
        _space = space;
        _frames = frames;
        _files = files;
    }

    /// <summary>The frame of a page, zeroed when it is new. ENOMEM.</summary>
    internal Errno GetPage(ulong address, out byte* frame)
    {
        Errno error = _frames.MakeWritable(_space, address, out frame);
        // Frames of dirty cache pages can be had, but only by waiting.
        while (error == Errno.ENOMEM && _files.MakeRoom(FramesPerPage))
        {
            error = _frames.MakeWritable(_space, address, out frame);
        }

        return error;
    }

    /// <summary>Copies bytes to any address. ENOMEM.</summary>
    internal Errno Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            Errno error = GetPage(AddressLayout.PageDown(address), out byte* frame);
            if (error != Errno.None)
            {
                return error;
            }

            int inPage = (int)(address & (PageOperations.PageSize - 1));
            int part = Math.Min(bytes.Length, PageOperations.PageSize - inPage);
            bytes.Slice(0, part).CopyTo(new Span<byte>(frame + inPage, part));
            bytes = bytes.Slice(part);
            address += (ulong)part;
        }

        return Errno.None;
    }
}
