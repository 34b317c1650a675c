// Memory for the file part of the processor monitor on the host. Its allocators are statics of the machine, so these tests run one after
// the other and count frames before and after.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class FileObjectsCollection
{
    public const string Name = "file objects";
}

/// <summary>A machine's worth of frames, given back at the end.</summary>
public sealed unsafe class FileObjectsFixture : IDisposable
{
    private const ulong Pages = 2048;

    private readonly void* _memory;

    public FileObjectsFixture()
    {
        _memory = NativeMemory.AlignedAlloc((nuint)(Pages * PageOperations.PageSize), PageOperations.PageSize);
        Frames = new FrameAllocator(_memory, Pages);
        FileObjects.Initialize(Frames);
    }

    public FrameAllocator Frames { get; }

    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
