// In place of kernel/machine's, which measures its CPU at boot: plain loops.

namespace Lego.Kernel;

/// <summary>Bulk memory routines.</summary>
public static unsafe class PageOperations
{
    public const int PageSize = 4096;

    /// <summary>From this length on the core library calls <see cref="CopyBytes"/>.</summary>
    internal const nuint LargeCopyBytes = uint.MaxValue;

    /// <summary>Copies one page.</summary>
    public static void Copy(void* destination, void* source) => CopyBytes(destination, source, PageSize);

    /// <summary>Zeroes one page.</summary>
    public static void Clear(void* page)
    {
        for (ulong* word = (ulong*)page; word < (ulong*)((byte*)page + PageSize); word++)
        {
            *word = 0;
        }
    }

    /// <summary>Copies forward; the ranges do not overlap.</summary>
    public static void CopyBytes(void* destination, void* source, ulong lengthBytes)
    {
        byte* to = (byte*)destination;
        byte* from = (byte*)source;
        for (; lengthBytes >= sizeof(ulong); lengthBytes -= sizeof(ulong))
        {
            *(ulong*)to = *(ulong*)from;
            to += sizeof(ulong);
            from += sizeof(ulong);
        }

        for (; lengthBytes > 0; lengthBytes--)
        {
            *to++ = *from++;
        }
    }
}
