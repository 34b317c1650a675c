// Static fields of class types live in blocks that the runtime allocates at start-up: ilc leaves, in section 201 of the module header
// (ReadyToRun header, "RTR"), one pointer per block to a tagged MethodTable, and replaces the tag by the block.

using System.Runtime;
using System.Runtime.CompilerServices;
using Internal.Runtime;

namespace Lego.Kernel;

/// <summary>Allocates the blocks of class-typed statics; runs before any such static is used.</summary>
internal static unsafe class ManagedStatics
{
    private const int GcStaticRegion = 201;
    private const long Uninitialized = 1;
    private const long HasPreinitializedData = 2;
    private const long TagMask = 3;

    private struct ModuleHeader
    {
        internal uint Signature;
        internal ushort MajorVersion;
        internal ushort MinorVersion;
        internal uint Flags;
        internal ushort SectionCount;
        internal byte EntryBytes;
        internal byte EntryType;
    }

    private struct SectionRow
    {
        internal int Identifier;
        internal int Flags;
        internal byte* Start;
        internal byte* End;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ModuleHeaderAddress")]
    private static extern byte* ModuleHeaderAddress();

    internal static void Initialize()
    {
        ModuleHeader* header = (ModuleHeader*)ModuleHeaderAddress();
        SectionRow* rows = (SectionRow*)(header + 1);
        for (int index = 0; index < header->SectionCount; index++)
        {
            if (rows[index].Identifier == GcStaticRegion)
            {
                for (byte* entry = rows[index].Start; entry < rows[index].End; entry += sizeof(int))
                {
                    InitializeBlock(RelativePointer(entry));
                }
            }
        }
    }

    private static void InitializeBlock(byte* block)
    {
        long tagged = (long)RelativePointer(block);
        if ((tagged & Uninitialized) == 0)
        {
            return;
        }

        MethodTable* type = (MethodTable*)(tagged & ~TagMask);
        byte* storage = (byte*)ManagedHeap.Allocate(type, type->BaseSizeBytes);
        if ((tagged & HasPreinitializedData) != 0)
        {
            ulong* data = (ulong*)RelativePointer(block + sizeof(int));
            ulong* fields = (ulong*)(storage + sizeof(ulong));
            ulong count = (type->BaseSizeBytes - (2 * sizeof(ulong))) / sizeof(ulong);
            for (ulong field = 0; field < count; field++)
            {
                fields[field] = data[field];
            }
        }

        *(byte**)block = storage;
    }

    private static byte* RelativePointer(byte* field) => field + *(int*)field;
}
