// What the tests of the file cache have in common.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;

namespace Lego.Tests.Memory;

/// <summary>Requests to a file cache, and bytes for it.</summary>
internal static unsafe class FileCacheCalls
{
    internal const int Page = PageOperations.PageSize;

    internal static FileRequest To(ulong size) => new() { Offset = size };

    internal static Errno Sync(MemoryFixture fixture, CachedFile* file, FileWriteFlags flags = FileWriteFlags.None)
    {
        uint known = 0;
        return fixture.Files.Sync(file, flags, ref known);
    }

    internal static byte[] Noise(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }
}
