// The texts of /proc/PID (proc(5)), in the formats that procps and busybox parse. Those that lie in the program's own memory
// (ProcessMemoryTexts) BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writers of texts about a process.</summary>
public static unsafe class ProcessTexts
{
    private const ulong KilobyteBytes = 1024;
    private const int PendingSignalLimit = 11;
    private const uint TerminalDevice = DeviceNumber.FirstPseudoTerminal;

    /// <summary>Writes an entry's text. ENOENT when the process has gone.</summary>
    public static Errno Write(Processes processes, PseudoNode node, ref TextBuffer text)
    {
        UserThread* thread = PseudoTree.ThreadOf(processes, node);
        if (thread == null)
        {
            return Errno.ENOENT;
        }

        Process* process = thread->Process;

        switch (node.File)
        {
            case PseudoFile.ProcessAuxiliary:
                ProcessMemoryTexts.Auxiliary(process, ref text);
                break;
            case PseudoFile.ProcessControlGroup:
                text.Append("0::/\n"u8);
                break;
            case PseudoFile.ProcessCommandLine:
                ProcessMemoryTexts.CommandLine(process, ref text);
                break;
            case PseudoFile.ProcessEnvironment:
                ProcessMemoryTexts.Environment(process, ref text);
                break;
            case PseudoFile.ProcessInputOutput:
                InputOutput(process, ref text);
                break;
            case PseudoFile.ProcessOomScore:
                text.AppendLine(default, OomScore(process));
                break;
            case PseudoFile.ProcessSmaps:
                MappingTexts.Write(process, withDetails: true, ref text);
                break;
            case PseudoFile.ProcessWaitChannel:
                text.Append((byte)'0');
                break;
            case PseudoFile.ProcessComm:
                PseudoTexts.Line(ref text, NameOf(thread));
                break;
            case PseudoFile.ProcessLimits:
                Limits(process, ref text);
                break;
            case PseudoFile.ProcessMaps:
                MappingTexts.Write(process, withDetails: false, ref text);
                break;
            case PseudoFile.ProcessMountInfo:
                PseudoTexts.MountInfo(ref text);
                break;
            case PseudoFile.ProcessMounts:
                PseudoTexts.Mounts(ref text);
                break;
            case PseudoFile.ProcessOomScoreAdjust:
                text.AppendSigned(process->OutOfMemoryScore);
                text.Append((byte)'\n');
                break;
            case PseudoFile.ProcessDescriptorInfo:
                return DescriptorTexts.Write(processes, node, ref text);
            case PseudoFile.ProcessStat:
                Stat(thread, node.ThreadId != 0, ref text);
                break;
            case PseudoFile.ProcessStatm:
                Statm(process, ref text);
                break;
            case PseudoFile.ProcessStatus:
                Status(thread, ref text);
                break;
            default:
                break;
        }

        return Errno.None;
    }

    private static ReadOnlySpan<byte> NameOf(UserThread* thread)
    {
        ReadOnlySpan<byte> name = thread->Name;
        int end = name.IndexOf((byte)0);
        return name.Slice(0, end < 0 ? name.Length : end);
    }

    private static uint ParentOf(Process* process) => process->Parent == null ? 0 : process->Parent->Id;

    private static ulong MappedBytes(Process* process) => process->Space == null ? 0 : process->Space->MappedBytes;

    private static ulong ResidentBytes(Process* process) =>
        process->Space == null ? 0 : process->Space->ResidentLines * PageOperations.PageSize;

    /// <summary>stat of a process, or of one thread alone: its id, name, state, times and masks; the rest is the process's.</summary>
    private static void Stat(UserThread* thread, bool isAlone, ref TextBuffer text)
    {
        Process* process = thread->Process;
        TerminalSession* terminal = FileSystem.Of(process).Sessions.TerminalOf(process);
        text.AppendNumber(thread->Id);
        text.Append(" ("u8);
        text.Append(NameOf(thread));
        text.Append(") "u8);
        text.Append(SystemFacts.StateLetter(thread));
        Field(ref text, ParentOf(process));
        Field(ref text, process->Group);
        Field(ref text, process->SessionId);
        Field(ref text, terminal == null ? 0 : TerminalDevice);
        text.Append((byte)' ');
        text.AppendSigned(terminal == null ? -1 : terminal->ForegroundGroup);
        Field(ref text, 0);
        Field(ref text, process->MinorFaults);
        Field(ref text, process->ChildrenMinorFaults);
        Field(ref text, process->MajorFaults);
        Field(ref text, process->ChildrenMajorFaults);
        ulong userNs;
        ulong systemNs;
        if (isAlone)
        {
            CpuTime.Of(thread, out userNs, out systemNs);
        }
        else
        {
            CpuTime.Of(process, out userNs, out systemNs);
        }

        Field(ref text, userNs / SystemFacts.NanosecondsPerTick);
        Field(ref text, systemNs / SystemFacts.NanosecondsPerTick);
        Field(ref text, process->ChildrenUserTimeNs / SystemFacts.NanosecondsPerTick);
        Field(ref text, process->ChildrenSystemTimeNs / SystemFacts.NanosecondsPerTick);
        // Priority and nice value, then threads and itrealvalue.
        const int DefaultPriority = 20;
        text.Append((byte)' ');
        text.AppendSigned(thread->RealTimePriority != 0 ? -1 - thread->RealTimePriority : DefaultPriority + process->Nice);
        text.Append((byte)' ');
        text.AppendSigned(process->Nice);
        Field(ref text, process->ThreadCount);
        text.Append(" 0"u8);
        Field(ref text, process->StartTimeNs / SystemFacts.NanosecondsPerTick);
        Field(ref text, MappedBytes(process));
        Field(ref text, ResidentBytes(process) / PageOperations.PageSize);
        Field(ref text, ulong.MaxValue);
        // Code, stack and registers are nobody's business: zeros, as Linux shows to others. Then the signal masks.
        text.Append(" 0 0 0 0 0"u8);
        Field(ref text, process->Pending.Mask);
        Field(ref text, thread->BlockedSignals);
        Handlers(process, out ulong ignored, out ulong caught);
        Field(ref text, ignored);
        Field(ref text, caught);
        // wchan, nswap, cnswap, exit signal, processor, rt_priority, policy, blkio, guest times, data, argument and environment addresses,
        // exit code.
        text.Append(" 0 0 0"u8);
        Field(ref text, process->ExitSignal);
        text.Append(" 0"u8);
        Field(ref text, thread->RealTimePriority);
        Field(ref text, thread->Policy);
        text.Append(" 0 0 0 0 0 0"u8);
        Field(ref text, process->Space == null ? 0 : process->Space->ArgumentStart);
        Field(ref text, process->Space == null ? 0 : process->Space->ArgumentEnd);
        Field(ref text, process->Space == null ? 0 : process->Space->ArgumentEnd);
        Field(ref text, process->Space == null ? 0 : process->Space->EnvironmentEnd);
        text.Append(" 0\n"u8);
    }

    private static void Field(ref TextBuffer text, ulong value)
    {
        text.Append((byte)' ');
        text.AppendNumber(value);
    }

    private static void Statm(Process* process, ref TextBuffer text)
    {
        text.AppendNumber(MappedBytes(process) / PageOperations.PageSize);
        Field(ref text, ResidentBytes(process) / PageOperations.PageSize);
        text.Append(" 0 0 0 0 0\n"u8);
    }

    private static void Status(UserThread* thread, ref TextBuffer text)
    {
        Process* process = thread->Process;
        text.Append("Name:\t"u8);
        PseudoTexts.Line(ref text, NameOf(thread));
        if (process->Resources != null)
        {
            text.Append("Umask:\t"u8);
            text.AppendOctal(PathContext.Of(process)->Umask, 4);
            text.Append((byte)'\n');
        }

        text.Append("State:\t"u8);
        byte state = SystemFacts.StateLetter(thread);
        text.Append(state);
        PseudoTexts.Line(
            ref text,
            state switch
            {
                (byte)'R' => " (running)"u8,
                (byte)'Z' => " (zombie)"u8,
                (byte)'T' => " (stopped)"u8,
                (byte)'D' => " (disk sleep)"u8,
                _ => " (sleeping)"u8,
            });
        text.AppendLine("Tgid:\t"u8, process->Id);
        text.Append("Ngid:\t0\n"u8);
        text.AppendLine("Pid:\t"u8, thread->Id);
        text.AppendLine("PPid:\t"u8, ParentOf(process));
        text.Append("TracerPid:\t0\n"u8);
        Ids(ref text, "Uid:"u8, process->UserId, process->EffectiveUserId, process->SavedUserId, process->FileSystemUserId);
        Ids(ref text, "Gid:"u8, process->GroupId, process->EffectiveGroupId, process->SavedGroupId, process->FileSystemGroupId);
        text.AppendLine("FDSize:\t"u8, DescriptorSpace(process));
        text.Append("Groups:\t"u8);
        ReadOnlySpan<uint> groups = process->SupplementaryGroups;
        for (int index = 0; index < groups.Length; index++)
        {
            text.Append(index == 0 ? default : " "u8);
            text.AppendNumber(groups[index]);
        }

        text.Append(" \n"u8);
        if (process->Space != null)
        {
            MemorySizes(process, ref text);
        }

        text.AppendLine("Threads:\t"u8, Math.Max(1, process->ThreadCount));
        text.Append("SigQ:\t"u8);
        text.AppendNumber(Signals.QueuedFor(process->Table, process->UserId));
        text.Append((byte)'/');
        text.AppendNumber(process->Limits[2 * PendingSignalLimit]);
        text.Append((byte)'\n');
        Mask(ref text, "SigPnd:\t"u8, thread->Pending.Mask);
        Mask(ref text, "ShdPnd:\t"u8, process->Pending.Mask);
        Mask(ref text, "SigBlk:\t"u8, thread->BlockedSignals);
        Handlers(process, out ulong ignored, out ulong caught);
        Mask(ref text, "SigIgn:\t"u8, ignored);
        Mask(ref text, "SigCgt:\t"u8, caught);
        Mask(ref text, "CapInh:\t"u8, 0);
        Mask(ref text, "CapPrm:\t"u8, process->PermittedCapabilities);
        Mask(ref text, "CapEff:\t"u8, process->EffectiveCapabilities);
        // Nothing can be taken from the bounding set.
        Mask(ref text, "CapBnd:\t"u8, Capabilities.All);
        Mask(ref text, "CapAmb:\t"u8, 0);
        text.AppendLine("NoNewPrivs:\t"u8, process->NoNewPrivileges ? 1u : 0);
        text.AppendLine("Seccomp:\t"u8, (ulong)thread->FilterMode);
        text.AppendLine("Seccomp_filters:\t"u8, SystemCallFilters.CountOf(thread));
        text.Append("Cpus_allowed:\t"u8);
        ulong cpus = thread->Cpus == 0 ? (1UL << (int)SystemFacts.ProcessorCount) - 1 : thread->Cpus;
        text.AppendHex(cpus);
        text.Append("\nCpus_allowed_list:\t"u8);
        CpuList(cpus, ref text);

        text.Append("\nMems_allowed:\t1\nMems_allowed_list:\t0\n"u8);
        text.AppendLine("voluntary_ctxt_switches:\t"u8, process->VoluntarySwitches);
        text.Append("nonvoluntary_ctxt_switches:\t0\n"u8);
    }

    /// <summary>Ranges of set bits: 0-2,5.</summary>
    private static void CpuList(ulong cpus, ref TextBuffer text)
    {
        const int Bits = 64;
        bool isFirst = true;
        for (int first = 0; first < Bits; first++)
        {
            if (((cpus >> first) & 1) == 0)
            {
                continue;
            }

            int last = first;
            while (last + 1 < Bits && ((cpus >> (last + 1)) & 1) != 0)
            {
                last++;
            }

            text.Append(isFirst ? default : ","u8);
            text.AppendNumber((uint)first);
            if (last > first)
            {
                text.Append((byte)'-');
                text.AppendNumber((uint)last);
            }

            isFirst = false;
            first = last;
        }
    }

    private static void MemorySizes(Process* process, ref TextBuffer text)
    {
        ulong data = 0;
        ulong stack = 0;
        ulong code = 0;
        ref RecordTable<VmaRecord> ranges = ref process->Space->Ranges;
        for (int index = 0; index < ranges.Count; index++)
        {
            ulong bytes = ranges[index].End - ranges[index].Start;
            bool isCode = (ranges[index].Protection & Protection.Execute) != 0;
            code += isCode ? bytes : 0;
            stack += ranges[index].Kind == VmaKind.Stack ? bytes : 0;
            data += !isCode && ranges[index].Kind == VmaKind.Anonymous ? bytes : 0;
        }

        Kilobytes(ref text, "VmPeak:\t"u8, Math.Max(process->Space->PeakMappedBytes, MappedBytes(process)));
        Kilobytes(ref text, "VmSize:\t"u8, MappedBytes(process));
        Kilobytes(ref text, "VmLck:\t"u8, 0);
        Kilobytes(ref text, "VmPin:\t"u8, 0);
        Kilobytes(ref text, "VmHWM:\t"u8, process->Space->PeakLines * PageOperations.PageSize);
        Kilobytes(ref text, "VmRSS:\t"u8, ResidentBytes(process));
        Kilobytes(ref text, "VmData:\t"u8, data);
        Kilobytes(ref text, "VmStk:\t"u8, stack);
        Kilobytes(ref text, "VmExe:\t"u8, code);
        Kilobytes(ref text, "VmLib:\t"u8, 0);
        Kilobytes(ref text, "VmSwap:\t"u8, 0);
    }

    internal static void Kilobytes(ref TextBuffer text, ReadOnlySpan<byte> label, ulong bytes)
    {
        text.Append(label);
        text.AppendNumber(bytes / KilobyteBytes, 8);
        text.Append(" kB\n"u8);
    }

    /// <summary>Descriptors that the table has room for: a power of two from 64 on, as Linux grows its tables.</summary>
    private static ulong DescriptorSpace(Process* process)
    {
        const ulong Least = 64;
        ulong size = Least;
        FileTable* table = FileTable.Of(process);
        for (int descriptor = table == null ? -1 : table->NextOpen(0); descriptor >= 0; descriptor = table->NextOpen((ulong)descriptor + 1))
        {
            while (size <= (ulong)descriptor)
            {
                size *= 2;
            }
        }

        return size;
    }

    /// <summary>Reads and writes of the program (proc(5)); what reached a disk is not known here.</summary>
    private static void InputOutput(Process* process, ref TextBuffer text)
    {
        text.AppendLine("rchar: "u8, process->ReadBytes);
        text.AppendLine("wchar: "u8, process->WrittenBytes);
        text.AppendLine("syscr: "u8, process->ReadCalls);
        text.AppendLine("syscw: "u8, process->WriteCalls);
        text.Append("read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"u8);
    }

    /// <summary>Two thirds of the scale from 0 to 2000, moved by what was written to oom_score_adj; memory is not weighed here.</summary>
    private static ulong OomScore(Process* process) => (ulong)((1000 + process->OutOfMemoryScore) * 2 / 3);

    private static void Ids(ref TextBuffer text, ReadOnlySpan<byte> label, uint real, uint effective, uint saved, uint fileSystem)
    {
        text.Append(label);
        text.Append((byte)'\t');
        text.AppendNumber(real);
        text.Append((byte)'\t');
        text.AppendNumber(effective);
        text.Append((byte)'\t');
        text.AppendNumber(saved);
        text.Append((byte)'\t');
        text.AppendNumber(fileSystem);
        text.Append((byte)'\n');
    }

    private static void Mask(ref TextBuffer text, ReadOnlySpan<byte> label, ulong mask)
    {
        text.Append(label);
        text.AppendHex(mask, 16);
        text.Append((byte)'\n');
    }

    private static void Handlers(Process* process, out ulong ignored, out ulong caught)
    {
        ignored = 0;
        caught = 0;
        if (process->Actions == null)
        {
            return;
        }

        for (int signal = 1; signal <= Signal.Count; signal++)
        {
            ulong handler = (*process->Actions)[signal].Handler;
            ignored |= handler == SignalAction.Ignore ? Signal.Bit(signal) : 0;
            caught |= handler > SignalAction.Ignore ? Signal.Bit(signal) : 0;
        }
    }

    private static void Limits(Process* process, ref TextBuffer text)
    {
        text.Append("Limit                     Soft Limit           Hard Limit           Units     \n"u8);
        for (int limit = 0; limit < Process.LimitCount; limit++)
        {
            ReadOnlySpan<byte> name = limit switch
            {
                0 => "Max cpu time"u8,
                1 => "Max file size"u8,
                2 => "Max data size"u8,
                3 => "Max stack size"u8,
                4 => "Max core file size"u8,
                5 => "Max resident set"u8,
                6 => "Max processes"u8,
                7 => "Max open files"u8,
                8 => "Max locked memory"u8,
                9 => "Max address space"u8,
                10 => "Max file locks"u8,
                11 => "Max pending signals"u8,
                12 => "Max msgqueue size"u8,
                13 => "Max nice priority"u8,
                14 => "Max realtime priority"u8,
                _ => "Max realtime timeout"u8,
            };
            text.Append(name);
            Pad(ref text, 26 - name.Length);
            LimitValue(ref text, process->Limits[2 * limit]);
            LimitValue(ref text, process->Limits[(2 * limit) + 1]);
            PseudoTexts.Line(ref text, limit switch { 0 => "seconds"u8, 6 => "processes"u8, 7 => "files"u8, _ => "bytes"u8 });
        }
    }

    private static void LimitValue(ref TextBuffer text, ulong value)
    {
        const int ColumnBytes = 21;
        Span<byte> digits = stackalloc byte[20];
        TextBuffer number = new(digits);
        if (value == ulong.MaxValue)
        {
            number.Append("unlimited"u8);
        }
        else
        {
            number.AppendNumber(value);
        }

        text.Append(number.Text);
        Pad(ref text, ColumnBytes - number.Text.Length);
    }

    private static void Pad(ref TextBuffer text, int count)
    {
        for (int index = 0; index < count; index++)
        {
            text.Append((byte)' ');
        }
    }
}
