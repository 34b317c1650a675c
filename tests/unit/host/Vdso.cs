// Host stand-in for kernel/machine: the vDSO, whose pages tell themselves from each other and from zeros.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>Two pages of a pattern.</summary>
public static unsafe class Vdso
{
    public static readonly byte* CodePage = Page(0xC0);
    public static readonly byte* DataPage = Page(0xDA);

    private static byte* Page(byte pattern)
    {
        byte* page = (byte*)NativeMemory.AlignedAlloc(PageOperations.PageSize, PageOperations.PageSize);
        NativeMemory.Fill(page, PageOperations.PageSize, pattern);
        return page;
    }
}
