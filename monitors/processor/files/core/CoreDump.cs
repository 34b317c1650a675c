// Core files (core(5)): "core" in the working directory, as an ELF file whose notes say what the process was and whose segments are its
// memory. As on Linux by default, private and anonymous memory is written, of files only the page with their ELF header; pages that were
// never touched are holes. What has the name loses it first. Nothing is written for a limit below a page and for a process that is not
// dumpable. The other threads run on meanwhile; a map call of theirs ends the file early. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes the memory of a process that a signal ends.</summary>
internal static unsafe class CoreDump
{
    /// <summary>What a core file is called (/proc/sys/kernel/core_pattern).</summary>
    internal static ReadOnlySpan<byte> Name => "core"u8;

    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;
    private const uint OwnerOnly = 0x180;
    private const uint ElfMagic = 0x464C457F;
    private const uint NoteSegment = 4;
    private const uint LoadSegment = 1;
    /// <summary>A number of segments that the header cannot say (PN_XNUM).</summary>
    private const int TooManySegments = 0xFFFF;

    /// <summary>What of a range is written.</summary>
    private enum Extent
    {
        Nothing,
        FirstPage,
        Everything,
    }

    /// <summary>True when there is a core file, complete or up to the limit.</summary>
    internal static bool Write(UserThread* thread, in SignalInfo info)
    {
        Process* process = thread->Process;
        bool isWanted = process->Dumpable == 1 && process->Limits[2 * ResourceLimit.Core] >= PageOperations.PageSize;
        if (!isWanted || process->Space->Ranges.Count + 1 >= TooManySegments)
        {
            return false;
        }

        OpenFile* file = OpenCore(process);
        byte* frame = file == null ? null : (byte*)process->Table.Frames.Allocate();
        bool isDone = false;
        if (frame != null)
        {
            CoreWriter writer = new(process, file, frame);
            Write(ref writer, thread, in info);
            isDone = writer.Error == Errno.None;
            process->Table.Frames.Free(frame);
        }

        if (file != null)
        {
            OpenFile.Release(file);
        }

        return isDone;
    }

    /// <summary>A new file; null: there can be none.</summary>
    private static OpenFile* OpenCore(Process* process)
    {
        const OpenFlags Flags = OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow | OpenFlags.WriteOnly;
        OpenFile* file = null;
        using PathName path = PathName.FromText(process, Name);
        Errno error = path.Error != Errno.None ? path.Error : RemoveOld(process, in path);
        error = error == Errno.None ? FileOpening.Open(process, in path, Flags, OwnerOnly, out file) : error;
        return error == Errno.None ? file : null;
    }

    private static Errno RemoveOld(Process* process, in PathName path)
    {
        Errno error = path.Resolve(process, LastLink.Keep, out PseudoNode node);
        if (error != Errno.None || node.File != PseudoFile.None)
        {
            return error != Errno.None ? error : Errno.EACCES;
        }

        FileCaller caller = FileCaller.Of(process);
        ReleaseRecord nothing = default;
        error = StorageClient.Unlink(in caller, path.Volume, PathFlags.None, in nothing, out UnlinkReply reply);
        if (error == Errno.None)
        {
            FileSystem.Of(process).Nodes.OnLostName(in caller, in reply.Handle, reply.LinksLeft, reply.Flags, isAtMemory: true);
        }

        return error == Errno.ENOENT ? Errno.None : error;
    }

    private static void Write(ref CoreWriter writer, UserThread* thread, in SignalInfo info)
    {
        Process* process = thread->Process;
        int count = process->Space->Ranges.Count;
        ulong notes = HeaderBytes + ((ulong)(count + 1) * ProgramHeaderBytes);
        ulong noteBytes = CoreNotes.BytesOf(process);
        ulong position = (notes + noteBytes + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1UL);
        WriteHeader(ref writer, count + 1);
        WriteSegment(ref writer, NoteSegment, 0, notes, 0, noteBytes, 0, 4);
        for (int index = 0; index < count && index < process->Space->Ranges.Count; index++)
        {
            VmaRecord range = process->Space->Ranges[index];
            ulong bytes = BytesOf(process, in range);
            WriteSegment(ref writer, LoadSegment, FlagsOf(range.Protection), position, range.Start, bytes, range.End - range.Start,
                PageOperations.PageSize);
            position += bytes;
        }

        writer.PadTo(notes);
        CoreNotes.Write(ref writer, thread, in info);
        writer.PadTo((writer.Position + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1UL));
        for (int index = 0; index < count && process->Space->Ranges.Count == count; index++)
        {
            WriteContents(ref writer, process, process->Space->Ranges[index]);
        }

        writer.Finish();
    }

    /// <summary>Elf64_Ehdr of a core of x86-64.</summary>
    private static void WriteHeader(ref CoreWriter writer, int segments)
    {
        const ushort CoreType = 4;
        const ushort Machine = 62;
        ReadOnlySpan<byte> identification = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        writer.Add(identification);
        writer.Add(CoreType);
        writer.Add(Machine);
        writer.Add(1u);
        writer.Add(0UL);
        writer.Add((ulong)HeaderBytes);
        writer.Add(0UL);
        writer.Add(0u);
        writer.Add((ushort)HeaderBytes);
        writer.Add((ushort)ProgramHeaderBytes);
        writer.Add((ushort)segments);
        writer.PadTo(HeaderBytes);
    }

    /// <summary>Elf64_Phdr.</summary>
    private static void WriteSegment(
        ref CoreWriter writer, uint type, uint flags, ulong position, ulong address, ulong fileBytes, ulong memoryBytes, ulong alignment)
    {
        writer.Add(type);
        writer.Add(flags);
        writer.Add(position);
        writer.Add(address);
        writer.Add(0UL);
        writer.Add(fileBytes);
        writer.Add(memoryBytes);
        writer.Add(alignment);
    }

    private static uint FlagsOf(Protection protection)
    {
        const uint Execute = 1;
        const uint Write = 2;
        const uint Read = 4;
        return ((protection & Protection.Read) != 0 ? Read : 0) | ((protection & Protection.Write) != 0 ? Write : 0)
            | ((protection & Protection.Execute) != 0 ? Execute : 0);
    }

    /// <summary>Linux's vma_dump_size with the default filter, 0x33.</summary>
    private static Extent ExtentOf(Process* process, in VmaRecord range)
    {
        switch (range.Kind)
        {
            case VmaKind.SharedFile:
                FileNode* node = (FileNode*)process->Table.Backings.FileOf(range.Backing);
                return node != null && node->Memory != null ? Extent.Everything : Extent.Nothing;
            case VmaKind.VdsoData:
                return Extent.Nothing;
            case VmaKind.File when (range.Protection & Protection.Write) == 0:
                uint start = 0;
                Errno error = range.FileOffset != 0 ? Errno.EINVAL
                    : LineFaults.CopyFromStranger(process->Table.Cache, process->Space, range.Start,
                        MemoryMarshal.AsBytes(new Span<uint>(ref start)));
                return error == Errno.None && start == ElfMagic ? Extent.FirstPage : Extent.Nothing;
            default:
                return Extent.Everything;
        }
    }

    private static ulong BytesOf(Process* process, in VmaRecord range)
    {
        return ExtentOf(process, in range) switch
        {
            Extent.Nothing => 0,
            Extent.FirstPage => PageOperations.PageSize,
            _ => range.End - range.Start,
        };
    }

    private static void WriteContents(ref CoreWriter writer, Process* process, VmaRecord range)
    {
        AddressSpace* space = process->Space;
        ulong end = range.Start + BytesOf(process, in range);
        for (ulong address = range.Start; address < end && writer.Error == Errno.None; address += PageOperations.PageSize)
        {
            ulong* entry = PageTable.Find(space->PageTableRoot, address);
            bool isUntouched = range.Kind != VmaKind.File && range.Kind != VmaKind.SharedFile
                && (entry == null || *entry == PageState.Untouched);
            if (!isUntouched && LineFaults.CopyFromStranger(process->Table.Cache, space, address, writer.Page) == Errno.None)
            {
                writer.AddPage();
            }
            else
            {
                writer.SkipPage();
            }
        }
    }
}
