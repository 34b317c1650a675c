// struct rusage (getrusage(2)) and how it is filled. Pure.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What processes have used.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct ResourceUsage
{
    private const ulong NsPerSecond = 1_000_000_000;
    private const ulong NsPerMicrosecond = 1000;
    private const ulong KilobytesPerLine = PageOperations.PageSize / 1024;

    public long UserSeconds;
    public long UserMicroseconds;
    public long SystemSeconds;
    public long SystemMicroseconds;
    public long MaximumResidentKilobytes;
    public fixed long Unused[3];
    public long MinorFaults;
    public long MajorFaults;
    public fixed long Unused2[6];
    public long VoluntarySwitches;
    public long InvoluntarySwitches;

    /// <summary>What a process itself has used so far (RUSAGE_SELF).</summary>
    public static ResourceUsage Of(Process* process)
    {
        CpuTime.Of(process, out ulong userNs, out ulong systemNs);
        ResourceUsage usage = FromTimes(userNs, systemNs);
        usage.MinorFaults = (long)process->MinorFaults;
        usage.MajorFaults = (long)process->MajorFaults;
        usage.MaximumResidentKilobytes = (long)(PeakLinesOf(process) * KilobytesPerLine);
        usage.VoluntarySwitches = (long)process->VoluntarySwitches;
        return usage;
    }

    /// <summary>
    /// What one thread has used so far: its times; faults and waits are counted for the process as a whole (RUSAGE_THREAD).
    /// </summary>
    public static ResourceUsage Of(UserThread* thread)
    {
        ResourceUsage usage = Of(thread->Process);
        CpuTime.Of(thread, out ulong userNs, out ulong systemNs);
        ResourceUsage times = FromTimes(userNs, systemNs);
        usage.UserSeconds = times.UserSeconds;
        usage.UserMicroseconds = times.UserMicroseconds;
        usage.SystemSeconds = times.SystemSeconds;
        usage.SystemMicroseconds = times.SystemMicroseconds;
        return usage;
    }

    /// <summary>What the children that a process has waited for have used, with theirs (RUSAGE_CHILDREN).</summary>
    public static ResourceUsage OfChildren(Process* process)
    {
        ResourceUsage usage = FromTimes(process->ChildrenUserTimeNs, process->ChildrenSystemTimeNs);
        usage.MinorFaults = (long)process->ChildrenMinorFaults;
        usage.MajorFaults = (long)process->ChildrenMajorFaults;
        usage.MaximumResidentKilobytes = (long)(process->ChildrenPeakLines * KilobytesPerLine);
        return usage;
    }

    /// <summary>Both together, as wait4(2) tells its caller.</summary>
    public static ResourceUsage OfFamily(Process* process)
    {
        CpuTime.Of(process, out ulong userNs, out ulong systemNs);
        ResourceUsage usage = FromTimes(userNs + process->ChildrenUserTimeNs, systemNs + process->ChildrenSystemTimeNs);
        usage.MinorFaults = (long)(process->MinorFaults + process->ChildrenMinorFaults);
        usage.MajorFaults = (long)(process->MajorFaults + process->ChildrenMajorFaults);
        usage.MaximumResidentKilobytes = (long)(Math.Max(PeakLinesOf(process), process->ChildrenPeakLines) * KilobytesPerLine);
        usage.VoluntarySwitches = (long)process->VoluntarySwitches;
        return usage;
    }

    /// <summary>Most lines that a process's programs have had at a time.</summary>
    public static ulong PeakLinesOf(Process* process) =>
        Math.Max(process->PeakLines, process->Space == null ? 0 : process->Space->PeakLines);

    private static ResourceUsage FromTimes(ulong userTimeNs, ulong systemTimeNs)
    {
        ResourceUsage usage = default;
        usage.UserSeconds = (long)(userTimeNs / NsPerSecond);
        usage.UserMicroseconds = (long)(userTimeNs % NsPerSecond / NsPerMicrosecond);
        usage.SystemSeconds = (long)(systemTimeNs / NsPerSecond);
        usage.SystemMicroseconds = (long)(systemTimeNs % NsPerSecond / NsPerMicrosecond);
        return usage;
    }
}
