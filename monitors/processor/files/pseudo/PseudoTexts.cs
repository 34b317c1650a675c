// The texts of /proc and /sys that are about the machine (proc(5)); those about a process are in ProcessTexts.cs. Formats are those that
// procps, busybox and glibc parse. Except for ProcessTexts, never blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writers of pseudo-texts.</summary>
public static unsafe class PseudoTexts
{
    private const ulong SecondNs = 1_000_000_000;
    private const ulong KilobyteBytes = 1024;

    /// <summary>Writes an entry's text. ENOENT when its process has gone.</summary>
    public static Errno Write(Process* caller, PseudoNode node, ref TextBuffer text)
    {
        if (PseudoTree.BelongsToProcess(node.File))
        {
            return ProcessTexts.Write(caller->Table, node, ref text);
        }

        FileSystem files = FileSystem.Of(caller);
        SystemFacts facts = files.Facts;

        switch (node.File)
        {
            case PseudoFile.ProcCommandLine:
                text.Append("lego\n"u8);
                break;
            case PseudoFile.ProcCpuInfo:
                CpuInfo(ref text);
                break;
            case PseudoFile.ProcDevices:
                text.Append("Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n"u8);
                break;
            case PseudoFile.ProcFileSystems:
                text.Append("nodev\tsysfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\ttmpfs\n\text4\n"u8);
                break;
            case PseudoFile.ProcInterrupts:
                Interrupts(ref text);
                break;
            case PseudoFile.ProcLoadAverage:
                LoadAverage(files, ref text);
                break;
            case PseudoFile.ProcMemInfo:
                MemInfo(facts, ref text);
                break;
            case PseudoFile.ProcPartitions:
                text.Append("major minor  #blocks  name\n\n"u8);
                break;
            case PseudoFile.ProcStat:
                Stat(files, ref text);
                break;
            case PseudoFile.ProcIpcSegments:
                IpcTexts.Segments(caller, ref text);
                break;
            case PseudoFile.ProcIpcSemaphores:
                IpcTexts.Semaphores(caller, ref text);
                break;
            case PseudoFile.ProcIpcMessages:
                IpcTexts.Messages(caller, ref text);
                break;
            case PseudoFile.ProcSwaps:
                text.Append("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"u8);
                break;
            case PseudoFile.ProcUptime:
                Uptime(facts, ref text);
                break;
            case PseudoFile.ProcVersion:
                text.Append(SystemFacts.System);
                text.Append(" version "u8);
                text.Append(SystemFacts.Release);
                text.Append(" ("u8);
                text.Append(facts.HostName);
                text.Append(") "u8);
                Line(ref text, SystemFacts.Version);
                break;
            case PseudoFile.ProcVmStat:
                text.AppendLine("nr_free_pages "u8, files.Frames.FreePages);
                text.Append("pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n"u8);
                break;
            case >= PseudoFile.ProcNetDev and <= PseudoFile.ProcNetSockets:
                NetworkTexts.Write(caller, node.File, ref text);
                break;
            default:
                Setting(files, node.File, ref text);
                break;
        }

        return Errno.None;
    }

    /// <summary>The mounts of every process: the volume and the three trees served here.</summary>
    internal static void Mounts(ref TextBuffer text)
    {
        text.Append("/dev/root / ext4 rw,relatime 0 0\n"u8);
        text.Append("devtmpfs /dev devtmpfs rw,relatime 0 0\ntmpfs /dev/shm tmpfs rw,relatime 0 0\n"u8);
        text.Append("proc /proc proc rw,relatime 0 0\n"u8);
        text.Append("sysfs /sys sysfs rw,relatime 0 0\n"u8);
    }

    /// <summary>The same in the format of /proc/PID/mountinfo.</summary>
    internal static void MountInfo(ref TextBuffer text)
    {
        text.Append("1 0 8:0 / / rw,relatime - ext4 /dev/root rw\n"u8);
        text.Append("2 1 0:5 / /dev rw,relatime - devtmpfs devtmpfs rw\n"u8);
        text.Append("5 2 0:1 / /dev/shm rw,relatime - tmpfs tmpfs rw\n"u8);
        text.Append("3 1 0:21 / /proc rw,relatime - proc proc rw\n"u8);
        text.Append("4 1 0:22 / /sys rw,relatime - sysfs sysfs rw\n"u8);
    }

    internal static void Line(ref TextBuffer text, ReadOnlySpan<byte> line)
    {
        text.Append(line);
        text.Append((byte)'\n');
    }

    private static void Setting(FileSystem files, PseudoFile file, ref TextBuffer text)
    {
        switch (file)
        {
            case PseudoFile.ProcSysHostName:
                Line(ref text, files.Facts.HostName);
                break;
            case PseudoFile.ProcSysDomainName:
                Line(ref text, files.Facts.DomainName);
                break;
            case PseudoFile.ProcSysOsRelease:
                Line(ref text, SystemFacts.Release);
                break;
            case PseudoFile.ProcSysOsType:
                Line(ref text, SystemFacts.System);
                break;
            case PseudoFile.ProcSysVersion:
                Line(ref text, SystemFacts.Version);
                break;
            case PseudoFile.ProcSysPidMax:
                text.AppendLine(default, files.Processes.IdLimit);
                break;
            case PseudoFile.ProcSysThreadsMax:
                text.AppendLine(default, Processes.MaxProcesses);
                break;
            case PseudoFile.ProcSysCorePattern:
                Line(ref text, CoreDump.Name);
                break;
            case PseudoFile.ProcSysBootId:
                AppendUuid(ref text, files.Facts.BootIdHigh, files.Facts.BootIdLow);
                break;
            case PseudoFile.ProcSysUuid:
                AppendUuid(ref text, files.Processes.Random.NextWord(), files.Processes.Random.NextWord());
                break;
            case PseudoFile.ProcSysEntropy:
                text.Append("256\n"u8);
                break;
            case PseudoFile.ProcSysOvercommit:
                text.Append("0\n"u8);
                break;
            case PseudoFile.ProcSysMaxMapCount:
                text.AppendLine(default, SpaceReply.MaxRanges);
                break;
            case PseudoFile.ProcSysFileMax:
                text.Append("65536\n"u8);
                break;
            case PseudoFile.ProcSysPipeMaxSize:
                text.AppendLine(default, Pipe.MaxBytes);
                break;
            case PseudoFile.ProcSysQueuesMax:
                text.AppendLine(default, PosixQueues.MaxQueues);
                break;
            case PseudoFile.ProcSysQueueMessages:
            case PseudoFile.ProcSysQueueMessagesDefault:
                text.AppendLine(default, (ulong)PosixQueues.MaxMessages);
                break;
            case PseudoFile.ProcSysQueueMessageBytes:
            case PseudoFile.ProcSysQueueMessageBytesDefault:
                text.AppendLine(default, (ulong)PosixQueues.MaxMessageBytes);
                break;
            case PseudoFile.SysCpuOnline:
            case PseudoFile.SysCpuPossible:
            case PseudoFile.SysCpuPresent:
                text.Append((byte)'0');
                if (SystemFacts.ProcessorCount > 1)
                {
                    text.Append((byte)'-');
                    text.AppendNumber(SystemFacts.ProcessorCount - 1);
                }

                text.Append((byte)'\n');
                break;
            default:
                break;
        }
    }

    private static void CpuInfo(ref TextBuffer text)
    {
        for (uint cpu = 0; cpu < SystemFacts.ProcessorCount; cpu++)
        {
            text.AppendLine("processor\t: "u8, cpu);
            text.Append("vendor_id\t: LegoKernel\ncpu family\t: 6\nmodel\t\t: 6\nmodel name\t: LegoKernel processor component\n"u8);
            text.Append("stepping\t: 3\n"u8);
            text.Append("cpu MHz\t\t: 1000.000\nphysical id\t: 0\n"u8);
            text.AppendLine("core id\t\t: "u8, cpu);
            text.AppendLine("cpu cores\t: "u8, SystemFacts.ProcessorCount);
            text.Append("fpu\t\t: yes\nflags\t\t:"u8);
            CpuFlags.Append(ref text);
            text.Append("\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\n"u8);
            text.Append("address sizes\t: 40 bits physical, 48 bits virtual\n\n"u8);
        }
    }

    private static void MemInfo(SystemFacts facts, ref TextBuffer text)
    {
        ulong totalKb = facts.TotalMemoryBytes / KilobyteBytes;
        ulong freeKb = facts.FreeMemoryBytes / KilobyteBytes;
        Kilobytes(ref text, "MemTotal:       "u8, totalKb);
        Kilobytes(ref text, "MemFree:        "u8, freeKb);
        Kilobytes(ref text, "MemAvailable:   "u8, freeKb);
        Kilobytes(ref text, "Buffers:        "u8, 0);
        Kilobytes(ref text, "Cached:         "u8, 0);
        Kilobytes(ref text, "SwapCached:     "u8, 0);
        Kilobytes(ref text, "Active:         "u8, 0);
        Kilobytes(ref text, "Inactive:       "u8, 0);
        Kilobytes(ref text, "SwapTotal:      "u8, 0);
        Kilobytes(ref text, "SwapFree:       "u8, 0);
        Kilobytes(ref text, "Dirty:          "u8, 0);
        Kilobytes(ref text, "Writeback:      "u8, 0);
        Kilobytes(ref text, "AnonPages:      "u8, 0);
        Kilobytes(ref text, "Mapped:         "u8, 0);
        Kilobytes(ref text, "Shmem:          "u8, 0);
        Kilobytes(ref text, "Slab:           "u8, totalKb - freeKb);
        Kilobytes(ref text, "SReclaimable:   "u8, 0);
        Kilobytes(ref text, "SUnreclaim:     "u8, totalKb - freeKb);
    }

    private static void Kilobytes(ref TextBuffer text, ReadOnlySpan<byte> label, ulong value)
    {
        text.Append(label);
        text.AppendNumber(value, 8);
        text.Append(" kB\n"u8);
    }

    private static void Stat(FileSystem files, ref TextBuffer text)
    {
        files.Facts.ProcessorTimes(out ulong userNs, out ulong systemNs);
        ulong uptimeNs = Clock.NowNs() * SystemFacts.ProcessorCount;
        ulong idleNs = uptimeNs > userNs + systemNs ? uptimeNs - userNs - systemNs : 0;
        CpuLine(ref text, "cpu  "u8, userNs, systemNs, idleNs);
        for (uint cpu = 0; cpu < SystemFacts.ProcessorCount; cpu++)
        {
            text.Append("cpu"u8);
            text.AppendNumber(cpu);
            CpuLine(ref text, " "u8, userNs / SystemFacts.ProcessorCount, systemNs / SystemFacts.ProcessorCount,
                idleNs / SystemFacts.ProcessorCount);
        }

        text.Append("intr 0\nctxt 0\n"u8);
        text.AppendLine("btime "u8, (Clock.UnixTimeNs() - Clock.NowNs()) / SecondNs);
        text.AppendLine("processes "u8, files.Processes.Created);
        text.AppendLine("procs_running "u8, files.Facts.RunningCount);
        text.Append("procs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n"u8);
    }

    private static void CpuLine(ref TextBuffer text, ReadOnlySpan<byte> label, ulong userNs, ulong systemNs, ulong idleNs)
    {
        text.Append(label);
        text.AppendNumber(userNs / SystemFacts.NanosecondsPerTick);
        text.Append(" 0 "u8);
        text.AppendNumber(systemNs / SystemFacts.NanosecondsPerTick);
        text.Append((byte)' ');
        text.AppendNumber(idleNs / SystemFacts.NanosecondsPerTick);
        text.Append(" 0 0 0 0 0 0\n"u8);
    }

    private static void LoadAverage(FileSystem files, ref TextBuffer text)
    {
        // There is no history of the run queue: the present stands for all three spans.
        uint running = files.Facts.RunningCount;
        for (int span = 0; span < 3; span++)
        {
            text.AppendHundredths(running * 100);
            text.Append((byte)' ');
        }

        text.AppendNumber(running);
        text.Append((byte)'/');
        text.AppendNumber(files.Processes.Count);
        text.Append((byte)' ');
        text.AppendNumber(files.Processes.LastId);
        text.Append((byte)'\n');
    }

    /// <summary>Those between CPUs alone: devices have none of their own here.</summary>
    private static void Interrupts(ref TextBuffer text)
    {
        text.Append("    "u8);
        for (int cpu = 0; cpu < Processors.Count; cpu++)
        {
            text.Append("       CPU"u8);
            text.AppendNumber((ulong)cpu);
        }

        text.Append("\nTLB:"u8);
        for (int cpu = 0; cpu < Processors.Count; cpu++)
        {
            text.Append((byte)' ');
            text.AppendNumber(Processors.FlushInterrupts(cpu), width: 10);
        }

        text.Append("   TLB shootdowns\n"u8);
    }

    private static void Uptime(SystemFacts facts, ref TextBuffer text)
    {
        facts.ProcessorTimes(out ulong userNs, out ulong systemNs);
        ulong uptimeNs = Clock.NowNs();
        ulong busyNs = Math.Min(userNs + systemNs, uptimeNs);
        text.AppendHundredths(uptimeNs / SystemFacts.NanosecondsPerTick);
        text.Append((byte)' ');
        text.AppendHundredths((uptimeNs - busyNs) / SystemFacts.NanosecondsPerTick);
        text.Append((byte)'\n');
    }

    /// <summary>A random UUID (RFC 9562 version 4).</summary>
    private static void AppendUuid(ref TextBuffer text, ulong high, ulong low)
    {
        text.AppendHex(high >> 32, 8);
        text.Append((byte)'-');
        text.AppendHex((high >> 16) & 0xFFFF, 4);
        text.Append((byte)'-');
        text.AppendHex((high & 0x0FFF) | 0x4000, 4);
        text.Append((byte)'-');
        text.AppendHex(((low >> 48) & 0x3FFF) | 0x8000, 4);
        text.Append((byte)'-');
        text.AppendHex(low & 0xFFFF_FFFF_FFFF, 12);
        text.Append((byte)'\n');
    }
}
