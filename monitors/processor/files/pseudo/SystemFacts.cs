// What uname, sysinfo and /proc say about the machine that a program seems to run on. Sizes are those of this processor component; what its
// processes keep on memory components is told per process (VmSize). Never blocks.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Name, version, sizes and loads.</summary>
public sealed unsafe class SystemFacts(Processes processes)
{
    /// <summary>Longest name without its terminator (__NEW_UTS_LEN).</summary>
    public const int MaxNameBytes = 64;

    /// <summary>Units of times in /proc and times(2): USER_HZ.</summary>
    public const ulong TicksPerSecond = 100;

    public const ulong NanosecondsPerTick = 1_000_000_000 / TicksPerSecond;

    private NameBytes _hostName;
    private int _hostNameLength;
    private NameBytes _domainName;
    private int _domainNameLength;
    private bool _hasDomainName;

    [InlineArray(MaxNameBytes)]
    private struct NameBytes
    {
        private byte _first;
    }

    /// <summary>Random since the component started (/proc/sys/kernel/random/boot_id).</summary>
    public ulong BootIdHigh { get; } = processes.Random.NextWord();

    public ulong BootIdLow { get; } = processes.Random.NextWord();

    public static ReadOnlySpan<byte> System => "Linux"u8;

    /// <summary>The Linux whose ABI this kernel follows.</summary>
    public static ReadOnlySpan<byte> Release => "6.1.0-lego"u8;

    public static ReadOnlySpan<byte> Version => "#1 SMP LegoKernel"u8;

    public static ReadOnlySpan<byte> Machine => "x86_64"u8;

    /// <summary>"(none)" until setdomainname(2).</summary>
    public ReadOnlySpan<byte> DomainName => !_hasDomainName ? "(none)"u8 : ((ReadOnlySpan<byte>)_domainName).Slice(0, _domainNameLength);

    /// <summary>The component's name until sethostname(2).</summary>
    public ReadOnlySpan<byte> HostName =>
        _hostNameLength == 0 ? Log.Name : ((ReadOnlySpan<byte>)_hostName).Slice(0, _hostNameLength);

    /// <summary>Processors that programs run on.</summary>
    public static uint ProcessorCount => (uint)Processors.Count;

    public ulong TotalMemoryBytes => processes.Frames.TotalPages * PageOperations.PageSize;

    public ulong FreeMemoryBytes => processes.Frames.FreePages * PageOperations.PageSize;

    /// <summary>Processes that could run now or wait for an answer: what Linux counts into the load.</summary>
    public uint RunningCount
    {
        get
        {
            uint running = 0;
            for (Process* process = processes.First; process != null; process = process->Next)
            {
                running += StateLetter(process) is (byte)'R' or (byte)'D' ? 1u : 0;
            }

            return running;
        }
    }

    public void SetHostName(ReadOnlySpan<byte> name)
    {
        name.CopyTo(_hostName);
        _hostNameLength = name.Length;
    }

    public void SetDomainName(ReadOnlySpan<byte> name)
    {
        name.CopyTo(_domainName);
        _domainNameLength = name.Length;
        _hasDomainName = true;
    }

    /// <summary>Processor time of all processes that exist, and of the children that they have waited for.</summary>
    public void ProcessorTimes(out ulong userNs, out ulong systemNs)
    {
        userNs = 0;
        systemNs = 0;
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            CpuTime.Of(process, out ulong ownUserNs, out ulong ownSystemNs);
            userNs += ownUserNs + process->ChildrenUserTimeNs;
            systemNs += ownSystemNs + process->ChildrenSystemTimeNs;
        }
    }

    /// <summary>State of a process's leader as ps shows it (proc(5)).</summary>
    public static byte StateLetter(Process* process) => StateLetter(process->Leader);

    /// <summary>State of a thread. A leader that has ended before the others is a zombie by itself.</summary>
    public static byte StateLetter(UserThread* thread)
    {
        ProcessState state = thread->Process->State;
        if (state is ProcessState.Zombie or ProcessState.Stopped)
        {
            return state == ProcessState.Zombie ? (byte)'Z' : (byte)'T';
        }

        if (thread->Kernel == null)
        {
            return thread->IsExiting ? (byte)'Z' : (byte)'S';
        }

        // Waits that a signal ends are sleeps; the others are for an answer of another component.
        return Scheduler.IsRunnable(thread->Kernel) ? (byte)'R' : thread->WaitsOn != null ? (byte)'S' : (byte)'D';
    }
}
