// Host stand-in for kernel/machine: page copies.

using System;

namespace Lego.Kernel;

/// <summary>Plain copies; the images choose a routine that suits their CPU at boot.</summary>
public static unsafe class PageOperations
{
    public const int PageSize = 4096;

    public static void Copy(void* destination, void* source) => Buffer.MemoryCopy(source, destination, PageSize, PageSize);

    public static void Clear(void* page) => new Span<byte>(page, PageSize).Clear();

    public static void CopyBytes(void* destination, void* source, ulong lengthBytes) =>
        Buffer.MemoryCopy(source, destination, lengthBytes, lengthBytes);
}
