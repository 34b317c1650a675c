// Names of the image's functions, for backtraces: a table that the build appends to the image (boot/symbols.sh): u64 count, then sorted
// entries {u32 offset from the image's start, u32 offset of the name from the table's start}, then the names.

using System;

namespace Lego.Kernel;

/// <summary>Looks functions up by address.</summary>
internal static unsafe class Symbols
{
    private const ulong ImageBase = 0xFFFFFFFF80000000;

    private struct Entry
    {
        internal uint Offset;
        internal uint Name;
    }

    /// <summary>Appends "Function+offset", or nothing when the address is not in the image.</summary>
    internal static void Append(ref LogLine line, ulong address)
    {
        byte* table = (byte*)Cpu.SymbolTable();
        if (table == null || address < ImageBase)
        {
            return;
        }

        ulong count = *(ulong*)table;
        Entry* entries = (Entry*)(table + sizeof(ulong));
        uint wanted = (uint)(address - ImageBase);
        ulong low = 0;
        ulong high = count;
        while (low < high)
        {
            ulong middle = (low + high) / 2;
            if (entries[middle].Offset <= wanted)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low == 0)
        {
            return;
        }

        Entry* found = entries + low - 1;
        byte* name = table + found->Name;
        int length = 0;
        while (name[length] != 0)
        {
            length++;
        }

        line.AppendFormatted(new ReadOnlySpan<byte>(name, length));
        line.AppendLiteral("+");
        line.AppendFormatted((ulong)(wanted - found->Offset), "x");
    }
}
