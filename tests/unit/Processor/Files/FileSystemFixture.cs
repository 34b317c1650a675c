// The file part of a processor monitor on the host, with frames of its own that tests count before and after.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Kernel;
using Lego.Processor;

namespace Lego.Tests.Processor.Files;

/// <summary>A machine's worth of frames, given back at the end.</summary>
public sealed unsafe class FileSystemFixture : IDisposable
{
    private const ulong Pages = 2048;

    private readonly void* _memory;

    public FileSystemFixture(NetDevice? card = null)
    {
        _memory = NativeMemory.AlignedAlloc((nuint)(Pages * PageOperations.PageSize), PageOperations.PageSize);
        Frames = new FrameAllocator(_memory, Pages);
        Files = new FileSystem(new Processes(Frames, new RpcEndpoint(1, Frames, 0), null!, 2), card);
    }

    public FrameAllocator Frames { get; }

    public FileSystem Files { get; }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
