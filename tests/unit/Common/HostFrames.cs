// Page frames over host memory, for tests that make kernel objects.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Tests.Common;

/// <summary>A frame allocator over native memory.</summary>
public sealed unsafe class HostFrames : IDisposable
{
    private readonly void* _memory;

    public HostFrames(ulong megabytes)
    {
        ulong pages = megabytes * 256;
        _memory = NativeMemory.AlignedAlloc((nuint)(pages * PageOperations.PageSize), PageOperations.PageSize);
        Allocator = new FrameAllocator(_memory, pages);
    }

    public FrameAllocator Allocator { get; }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
