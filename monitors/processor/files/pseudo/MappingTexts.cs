// /proc/PID/maps and smaps (proc(5)): the ranges of an address space, what is behind them, and what of them is resident. Never blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Texts about mapped ranges.</summary>
internal static unsafe class MappingTexts
{
    /// <summary>The end of a line of maps (proc(5)): device, inode, and what the range holds.</summary>
    private static void Backing(Process* process, in VmaRecord range, ref TextBuffer text)
    {
        FileNode* node = (FileNode*)process->Table.Backings.FileOf(range.Backing);
        text.Append((byte)' ');
        text.AppendHex(node == null ? 0 : DeviceNumber.Volume >> 8, 2);
        text.Append((byte)':');
        text.AppendHex(node == null ? 0 : DeviceNumber.Volume & 0xFF, 2);
        text.Append((byte)' ');
        text.AppendNumber(node == null ? 0 : node->Handle.Inode);
        ulong breakEnd = (process->Space->Break + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1UL);
        if (node != null)
        {
            text.Append("                          "u8);
            text.Append(node->Path);
            text.Append(node->IsUnlinked ? " (deleted)"u8 : default);
        }
        else if (range.Kind == VmaKind.Stack)
        {
            text.Append("                          [stack]"u8);
        }
        else if (range.Kind is VmaKind.VdsoCode or VmaKind.VdsoData)
        {
            text.Append("                          "u8);
            text.Append(range.Kind == VmaKind.VdsoCode ? "[vdso]"u8 : "[vvar]"u8);
        }
        else if (range.Kind == VmaKind.Anonymous && range.End == breakEnd)
        {
            text.Append("                          [heap]"u8);
        }
    }

    public static void Write(Process* process, bool withDetails, ref TextBuffer text)
    {
        if (process->Space == null)
        {
            return;
        }

        ref RecordTable<VmaRecord> ranges = ref process->Space->Ranges;
        for (int index = 0; index < ranges.Count; index++)
        {
            VmaRecord range = ranges[index];
            text.AppendHex(range.Start, 8);
            text.Append((byte)'-');
            text.AppendHex(range.End, 8);
            text.Append((byte)' ');
            text.Append((range.Protection & Protection.Read) != 0 ? (byte)'r' : (byte)'-');
            text.Append((range.Protection & Protection.Write) != 0 ? (byte)'w' : (byte)'-');
            text.Append((range.Protection & Protection.Execute) != 0 ? (byte)'x' : (byte)'-');
            text.Append(range.Kind is VmaKind.SharedFile or VmaKind.SharedAnonymous ? (byte)'s' : (byte)'p');
            text.Append((byte)' ');
            text.AppendHex(range.FileOffset, 8);
            Backing(process, in range, ref text);
            text.Append((byte)'\n');
            if (withDetails)
            {
                RangeDetails(process->Table.Cache, process->Space, in range, ref text);
            }
        }
    }

    /// <summary>What smaps adds to a line of maps. A page counts as shared when its line is mapped more than once (Line.cs).</summary>
    private static void RangeDetails(ExCache cache, AddressSpace* space, in VmaRecord range, ref TextBuffer text)
    {
        ulong resident = 0;
        ulong proportional = 0;
        ulong shared = 0;
        ulong dirty = 0;
        ulong address = range.Start;
        ulong* entry = PageTable.NextEntry(space->PageTableRoot, ref address, range.End);
        while (entry != null)
        {
            if (PageState.IsPresent(*entry))
            {
                ulong mappers = cache.MappersOf(*entry);
                resident += PageOperations.PageSize;
                proportional += PageOperations.PageSize / mappers;
                shared += mappers > 1 ? (ulong)PageOperations.PageSize : 0;
                dirty += cache.IsDirty(*entry) ? (ulong)PageOperations.PageSize : 0;
            }

            address += PageOperations.PageSize;
            entry = PageTable.NextEntry(space->PageTableRoot, ref address, range.End);
        }

        ProcessTexts.Kilobytes(ref text, "Size:           "u8, range.End - range.Start);
        ProcessTexts.Kilobytes(ref text, "KernelPageSize: "u8, PageOperations.PageSize);
        ProcessTexts.Kilobytes(ref text, "MMUPageSize:    "u8, PageOperations.PageSize);
        ProcessTexts.Kilobytes(ref text, "Rss:            "u8, resident);
        ProcessTexts.Kilobytes(ref text, "Pss:            "u8, proportional);
        ProcessTexts.Kilobytes(ref text, "Shared_Clean:   "u8, shared);
        ProcessTexts.Kilobytes(ref text, "Shared_Dirty:   "u8, 0);
        ProcessTexts.Kilobytes(ref text, "Private_Clean:  "u8, resident - shared - dirty);
        ProcessTexts.Kilobytes(ref text, "Private_Dirty:  "u8, dirty);
        ProcessTexts.Kilobytes(ref text, "Referenced:     "u8, resident);
        ProcessTexts.Kilobytes(ref text, "Anonymous:      "u8, range.Kind is VmaKind.Anonymous or VmaKind.Stack ? resident : 0);
        ProcessTexts.Kilobytes(ref text, "Swap:           "u8, 0);
    }
}
