// The vNodes that have programs here: their limits, what they use, and their end. A process belongs to one for all its life (Process.VNode)
// and so do its spaces; what it can name of other processes is Visibility's business, of files the storage component's.
//
// Memory. A vNode may have so many pages: those of all its spaces here, resident or at their owners, each counted as often as spaces have
// it. Counting them takes a walk over the page tables, so it is not done at each first touch: after a count that found n free pages, as
// many first touches cannot exceed the limit, and the next count is made after half of them. At the limit a first touch fails, and the
// process of the vNode that has taken most is ended (MemoryShortage), as the OOM killer of a memory cgroup does. A fork takes no first
// touches: what it copies counts from the next count on.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One vNode.</summary>
internal struct VNodeRecord
{
    internal ushort VNode;
    /// <summary>Most processes, 0 = no limit.</summary>
    internal uint Processes;
    /// <summary>Most pages, 0 = no limit.</summary>
    internal ulong Pages;
    /// <summary>First touches that need no count.</summary>
    internal ulong Credit;
    /// <summary>The last count found no free page.</summary>
    internal bool IsFull;
    /// <summary>Processor time of processes that are gone.</summary>
    internal ulong EndedCpuNs;
}

/// <summary>All vNodes of a processor component.</summary>
public sealed unsafe class VNodes(Processes processes) : PageLimit
{
    private readonly VNodeRecord[] _records = new VNodeRecord[VNodeTable.Most];

    /// <summary>A vNode is new here, or its limits are others; 0 = no limit.</summary>
    public void SetLimits(ushort vnode, uint processLimit, ulong pages)
    {
        ref VNodeRecord record = ref _records[VNodeTable.PlaceOf(vnode)];
        record.EndedCpuNs = record.VNode == vnode ? record.EndedCpuNs : 0;
        record.VNode = vnode;
        record.Processes = processLimit;
        record.Pages = pages;
        record.Credit = 0;
        record.IsFull = false;
    }

    /// <summary>A vNode is known no more.</summary>
    public void Forget(ushort vnode)
    {
        if (IsKnown(vnode))
        {
            _records[VNodeTable.PlaceOf(vnode)] = default;
        }
    }

    /// <summary>Ends all its processes, as SIGKILL does.</summary>
    public void End(ushort vnode)
    {
        for (Process* process = processes.First; process != null && vnode != 0; process = process->Next)
        {
            if (process->VNode == vnode)
            {
                Signals.Doom(process, WaitStatus.Killed(Signal.Kill));
            }
        }
    }

    /// <summary>What a vNode uses here.</summary>
    public VNodeUsage UsageOf(ushort vnode)
    {
        VNodeUsage usage = new() { Processes = Count(vnode), PageBytes = CountPages(vnode) * PageOperations.PageSize };
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            usage.CpuNs += process->VNode == vnode ? CpuTime.TotalNs(process) : 0;
        }

        for (AddressSpace* space = processes.Spaces.First; space != null; space = space->Next)
        {
            usage.Spaces += space->VNode == vnode ? 1u : 0;
        }

        usage.CpuNs += IsKnown(vnode) ? _records[VNodeTable.PlaceOf(vnode)].EndedCpuNs : 0;
        return usage;
    }

    /// <summary>True when a vNode may have another process.</summary>
    public bool MayHaveProcess(ushort vnode)
    {
        uint most = IsKnown(vnode) ? _records[VNodeTable.PlaceOf(vnode)].Processes : 0;
        return most == 0 || Count(vnode) < most;
    }

    /// <inheritdoc/>
    public override bool MayTouch(AddressSpace* space)
    {
        ref VNodeRecord record = ref _records[VNodeTable.PlaceOf(space->VNode)];
        if (!IsKnown(space->VNode) || record.Pages == 0)
        {
            return true;
        }

        if (record.Credit == 0)
        {
            ulong taken = CountPages(space->VNode);
            ulong free = record.Pages - Math.Min(taken, record.Pages);
            record.Credit = (free + 1) / 2;
            record.IsFull = free == 0;
            if (record.IsFull)
            {
                return false;
            }
        }

        record.Credit--;
        return true;
    }

    /// <summary>True when it is the vNode's limit that keeps its processes from more memory.</summary>
    public bool IsFull(ushort vnode) => IsKnown(vnode) && _records[VNodeTable.PlaceOf(vnode)].IsFull;

    /// <summary>A process goes; its time stays counted.</summary>
    internal void OnRemoved(Process* process)
    {
        if (IsKnown(process->VNode))
        {
            _records[VNodeTable.PlaceOf(process->VNode)].EndedCpuNs += process->UserTimeNs + process->SystemTimeNs;
        }
    }

    private bool IsKnown(ushort vnode) => vnode != 0 && _records[VNodeTable.PlaceOf(vnode)].VNode == vnode;

    /// <summary>Its processes, without those that have ended.</summary>
    private uint Count(ushort vnode)
    {
        uint count = 0;
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            count += process->VNode == vnode && process->State != ProcessState.Zombie && process != processes.Init ? 1u : 0;
        }

        return count;
    }

    private ulong CountPages(ushort vnode)
    {
        ulong count = 0;
        for (AddressSpace* space = processes.Spaces.First; space != null; space = space->Next)
        {
            if (space->VNode == vnode && space->Users != 0)
            {
                ExCache.Measure(space, out ulong pages, out _);
                count += pages;
            }
        }

        return count;
    }
}
