// `new` of classes and arrays: a bump pointer over a block behind the image, for boot time only. Seal gives the rest back as frames;
// afterwards every allocation panics, so no code path at run time can depend on one (docs/architecture.md, "No garbage collector").

using System.Runtime;
using Internal.Runtime;

namespace Lego.Kernel;

/// <summary>Boot-time allocation of managed objects.</summary>
public static unsafe class ManagedHeap
{
    private const uint ArrayHeaderBytes = 16;

    private static byte* s_next;
    private static byte* s_end;
    private static ulong s_usedBytes;

    /// <summary>Bytes of all managed objects.</summary>
    public static ulong UsedBytes => s_usedBytes;

    /// <summary>True once no allocation is possible any more.</summary>
    public static bool IsSealed => s_next == null;

    internal static void Use(void* start, ulong lengthBytes)
    {
        s_next = (byte*)start;
        s_end = s_next + lengthBytes;
    }

    /// <summary>Ends managed allocation for good and returns the unused pages to the frame allocator.</summary>
    public static void Seal()
    {
        byte* firstUnused = (byte*)(((ulong)s_next + PageOperations.PageSize - 1) & ~(ulong)(PageOperations.PageSize - 1));
        ulong pages = (ulong)(s_end - firstUnused) / PageOperations.PageSize;
        s_next = null;
        Startup.Frames.FreeContiguous(firstUnused, pages);
    }

    internal static void* Allocate(MethodTable* type, ulong lengthBytes)
    {
        lengthBytes = (lengthBytes + 7) & ~7UL;
        if (s_next == null)
        {
            Panic.Because("ManagedHeap.Allocate: a class or array was allocated after boot");
        }

        if (lengthBytes > (ulong)(s_end - s_next))
        {
            Panic.Because("ManagedHeap.Allocate: the boot-time heap is too small");
        }

        byte* result = s_next;
        s_next += lengthBytes;
        s_usedBytes += lengthBytes;
        for (ulong offset = 0; offset < lengthBytes; offset += sizeof(ulong))
        {
            *(ulong*)(result + offset) = 0;
        }

        *(MethodTable**)result = type;
        return result;
    }

    [RuntimeExport("RhpNewFast")]
    private static void* NewObject(MethodTable* type) => Allocate(type, type->BaseSizeBytes);

    [RuntimeExport("RhpNewArrayFast")]
    private static void* NewArray(MethodTable* type, nint length)
    {
        void* result = Allocate(type, ArrayHeaderBytes + ((ulong)length * type->ComponentSize));
        *(int*)((byte*)result + sizeof(ulong)) = (int)length;
        return result;
    }

    [RuntimeExport("RhpNewPtrArrayFast")]
    private static void* NewReferenceArray(MethodTable* type, nint length) => NewArray(type, length);
}
