// The notes of a core file (elf(5); include/uapi/linux/elfcore.h of Linux): who the process was, the registers of the thread that was ended
// by the signal, the signal, the auxiliary vector and the mapped files. Only that thread's: the others run on while the core is written.
// BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes notes.</summary>
internal static unsafe class CoreNotes
{
    private const uint StatusType = 1;
    private const uint FloatingPointType = 2;
    private const uint ProcessType = 3;
    private const uint AuxiliaryType = 6;
    private const uint SignalType = 0x53494749;
    private const uint FilesType = 0x46494C45;
    private const int NoteHeaderBytes = 20;
    private const int StatusBytes = 336;
    private const int ProcessBytes = 136;
    private const int NameBytes = 16;
    private const int ArgumentBytes = 80;
    private const int AuxiliaryEntryBytes = 16;
    private const int MostAuxiliaryEntries = 64;

    /// <summary>Bytes of all notes, as long as the process's ranges stay the same.</summary>
    internal static ulong BytesOf(Process* process) =>
        (6 * NoteHeaderBytes) + StatusBytes + ProcessBytes + (ulong)sizeof(SignalInfoFrame) + (ulong)AuxiliaryBytes(process)
        + ExtendedStateArea.LegacyBytes + Padded(FilesBytes(process));

    internal static void Write(ref CoreWriter writer, UserThread* thread, in SignalInfo info)
    {
        Process* process = thread->Process;
        WriteStatus(ref writer, thread, in info);
        WriteProcess(ref writer, process);
        Header(ref writer, SignalType, (ulong)sizeof(SignalInfoFrame));
        writer.Add(SignalInfoFrame.From(in info));
        WriteAuxiliary(ref writer, process);
        WriteFiles(ref writer, process);
        Header(ref writer, FloatingPointType, ExtendedStateArea.LegacyBytes);
        ExtendedStateBuffer buffer = default;
        ExtendedState.Store(buffer.Area);
        thread->User->StoreVectors((byte*)buffer.Area->Xmm);
        writer.Add(new ReadOnlySpan<byte>(buffer.Area, ExtendedStateArea.LegacyBytes));
    }

    /// <summary>Length of the name, of what follows it, the type; the name is "CORE".</summary>
    private static void Header(ref CoreWriter writer, uint type, ulong lengthBytes)
    {
        ReadOnlySpan<byte> name = "CORE\0\0\0\0"u8;
        const uint NameLength = 5;
        writer.Add(NameLength);
        writer.Add((uint)lengthBytes);
        writer.Add(type);
        writer.Add(name);
    }

    /// <summary>struct elf_prstatus.</summary>
    private static void WriteStatus(ref CoreWriter writer, UserThread* thread, in SignalInfo info)
    {
        Process* process = thread->Process;
        UserContext* user = thread->User;
        Header(ref writer, StatusType, StatusBytes);
        writer.Add(info.Number);
        writer.Add(info.Code);
        writer.Add(info.Error);
        writer.Add(info.Number);
        writer.Add(thread->Pending.Mask);
        writer.Add(thread->BlockedSignals);
        WriteIds(ref writer, process, thread->Id);
        CpuTime.Of(process, out ulong userNs, out ulong systemNs);
        WriteTime(ref writer, userNs);
        WriteTime(ref writer, systemNs);
        WriteTime(ref writer, process->ChildrenUserTimeNs);
        WriteTime(ref writer, process->ChildrenSystemTimeNs);

        // struct user_regs_struct.
        ReadOnlySpan<ulong> registers =
        [
            user->R15, user->R14, user->R13, user->R12, user->Rbp, user->Rbx, user->R11, user->R10, user->R9, user->R8, user->Rax,
                user->Rcx,
            user->Rdx, user->Rsi, user->Rdi, ulong.MaxValue, user->Rip, user->CodeSegment, user->Flags, user->Rsp, user->StackSegment,
            Scheduler.Current->FsBase, 0, 0, 0, 0, 0,
        ];
        writer.Add(MemoryMarshal.AsBytes(registers));
        const ulong HasFloatingPoint = 1;
        writer.Add(HasFloatingPoint);
    }

    /// <summary>struct elf_prpsinfo.</summary>
    private static void WriteProcess(ref CoreWriter writer, Process* process)
    {
        Header(ref writer, ProcessType, ProcessBytes);
        ReadOnlySpan<byte> state = [0, (byte)'R', 0, (byte)process->Nice, 0, 0, 0, 0];
        writer.Add(state);
        writer.Add(0UL);
        writer.Add(process->UserId);
        writer.Add(process->GroupId);
        WriteIds(ref writer, process, process->Id);
        ReadOnlySpan<byte> name = process->Name;
        writer.Add(name.Slice(0, NameBytes));
        Span<byte> arguments = stackalloc byte[ArgumentBytes];
        arguments.Clear();
        AddressSpace* space = process->Space;
        int length = (int)Math.Min(space->ArgumentEnd - space->ArgumentStart, ArgumentBytes - 1);
        LineFaults.CopyFromStranger(process->Table.Cache, space, space->ArgumentStart, arguments.Slice(0, length));
        for (int index = 0; index < length; index++)
        {
            arguments[index] = arguments[index] == 0 ? (byte)' ' : arguments[index];
        }

        writer.Add(arguments);
    }

    private static void WriteIds(ref CoreWriter writer, Process* process, uint id)
    {
        writer.Add(id);
        writer.Add(process->Parent == null ? 0 : process->Parent->Id);
        writer.Add(process->Group);
        writer.Add(process->SessionId);
    }

    private static void WriteTime(ref CoreWriter writer, ulong nanoseconds)
    {
        const ulong PerMicrosecond = 1000;
        const ulong PerSecond = 1_000_000_000;
        writer.Add(nanoseconds / PerSecond);
        writer.Add(nanoseconds % PerSecond / PerMicrosecond);
    }

    private static int AuxiliaryBytes(Process* process)
    {
        Span<ulong> entry = stackalloc ulong[AuxiliaryEntryBytes / sizeof(ulong)];
        for (int index = 0; index < MostAuxiliaryEntries; index++)
        {
            if (!TryReadAuxiliary(process, index, entry) || entry[0] == 0)
            {
                return (index + 1) * AuxiliaryEntryBytes;
            }
        }

        return MostAuxiliaryEntries * AuxiliaryEntryBytes;
    }

    private static void WriteAuxiliary(ref CoreWriter writer, Process* process)
    {
        int length = AuxiliaryBytes(process);
        Span<ulong> entry = stackalloc ulong[AuxiliaryEntryBytes / sizeof(ulong)];
        Header(ref writer, AuxiliaryType, (ulong)length);
        for (int index = 0; index < length / AuxiliaryEntryBytes; index++)
        {
            if (!TryReadAuxiliary(process, index, entry))
            {
                entry.Clear();
            }

            writer.Add(MemoryMarshal.AsBytes(entry));
        }
    }

    private static bool TryReadAuxiliary(Process* process, int index, Span<ulong> entry)
    {
        ulong address = process->Space->AuxiliaryStart + ((ulong)index * AuxiliaryEntryBytes);
        return LineFaults.CopyFromStranger(process->Table.Cache, process->Space, address, MemoryMarshal.AsBytes(entry)) == Errno.None;
    }

    /// <summary>NT_FILE: count and unit, then three numbers a file, then the paths with their terminators.</summary>
    private static void WriteFiles(ref CoreWriter writer, Process* process)
    {
        const int NumbersOfFile = 3;
        ulong length = FilesBytes(process);
        ulong end = writer.Position + NoteHeaderBytes + Padded(length);
        Header(ref writer, FilesType, length);
        ref RecordTable<VmaRecord> ranges = ref process->Space->Ranges;
        ulong count = 0;
        for (int index = 0; index < ranges.Count; index++)
        {
            count += FileOf(process, in ranges[index]) == null ? 0 : 1UL;
        }

        writer.Add(count);
        writer.Add((ulong)PageOperations.PageSize);
        ulong paths = writer.Position + (count * NumbersOfFile * sizeof(ulong));
        for (int index = 0; index < ranges.Count && writer.Position < paths; index++)
        {
            VmaRecord range = ranges[index];
            if (FileOf(process, in range) != null)
            {
                writer.Add(range.Start);
                writer.Add(range.End);
                writer.Add(range.FileOffset / PageOperations.PageSize);
            }
        }

        for (int index = 0; index < ranges.Count; index++)
        {
            FileNode* node = FileOf(process, in ranges[index]);
            if (node != null && writer.Position + (ulong)node->Path.Length < end)
            {
                // Another thread may unmap it while the writer waits.
                using NodeRef held = NodeRef.To(node);
                writer.Add(held.Node->Path);
                writer.Add((byte)0);
            }
        }

        writer.PadTo(end);
    }

    private static ulong FilesBytes(Process* process)
    {
        const ulong NumberBytes = 3 * sizeof(ulong);
        ulong length = 2 * sizeof(ulong);
        ref RecordTable<VmaRecord> ranges = ref process->Space->Ranges;
        for (int index = 0; index < ranges.Count; index++)
        {
            FileNode* node = FileOf(process, in ranges[index]);
            length += node == null ? 0 : NumberBytes + (ulong)node->Path.Length + 1;
        }

        return length;
    }

    private static FileNode* FileOf(Process* process, in VmaRecord range) => (FileNode*)process->Table.Backings.FileOf(range.Backing);

    private static ulong Padded(ulong lengthBytes) => (lengthBytes + 3) & ~3UL;
}
