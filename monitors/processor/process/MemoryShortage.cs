// Who pays when memory has run out: whoever has taken most of it, not whoever comes next. A fault may fail for another's page (the victim
// that it wants to write back finds no frame at its owner) or for another's page tables. So the process that costs most is ended, and the
// fault tries again when that one's memory has come back (IsRelieved). Who can fail instead ends nobody, and only waits while others end
// (IsPassing). BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The attempts of one fault to get memory.</summary>
public unsafe struct MemoryShortage
{
    private const ulong PauseNs = 2_000_000;
    /// <summary>Some four seconds: the end of a large process takes messages and time.</summary>
    private const int Patience = 2000;
    /// <summary>A tenth of a second: who takes all memory soon faults again.</summary>
    private const int Moment = 50;

    /// <summary>Pauses since somebody was ended for this fault.</summary>
    private int _pauses;

    /// <summary>
    /// True: memory may have come back, the fault is worth another attempt. False: it is the faulting process that has taken most, or
    /// nothing helps; the caller ends it.
    /// </summary>
    public bool IsRelieved(Process* faulting, FaultOutcome outcome)
    {
        bool isShortage = outcome is FaultOutcome.OutOfMemory or FaultOutcome.OutOfKernelMemory;
        if (!isShortage || faulting->IsEnding)
        {
            return false;
        }

        // Before the next one goes, the memory of those who are ending must have come back.
        if (_pauses++ > Patience || !IsAnyEnding(faulting->Table))
        {
            Process* taker = FindTaker(faulting, outcome);
            if (taker == null || taker == faulting)
            {
                return false;
            }

            taker->EndsForMemory = true;
            _pauses = 0;
            Deaths.Kill(taker, outcome, taker->Space->Home);
        }

        Scheduler.Sleep(PauseNs);
        return true;
    }

    /// <summary>
    /// True: memory may have come back by itself, the request is worth another attempt. Nobody is ended for a request that may ask too much
    /// itself (execve of a program that fits nowhere), but it waits while others end, and a moment for them to begin.
    /// </summary>
    [Blocks]
    public bool IsPassing(Process* waiting)
    {
        bool isEnding = IsAnyEnding(waiting->Table);
        if (waiting->IsEnding || _pauses++ > (isEnding ? Patience : Moment))
        {
            return false;
        }

        Scheduler.Sleep(PauseNs);
        return true;
    }

    /// <summary>
    /// True while memory is on its way back: of a process that was ended for it, or of any space that nobody runs in any more.
    /// </summary>
    private static bool IsAnyEnding(Processes processes)
    {
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            if (process->EndsForMemory && process->Space != null)
            {
                return true;
            }
        }

        AddressSpace* space = processes.Spaces.First;
        while (space != null && space->Users != 0)
        {
            space = space->Next;
        }

        return space != null;
    }

    /// <summary>
    /// The process that has taken most, but for those that are ending for it. What a vNode's own limit refuses is that vNode's business.
    /// </summary>
    private static Process* FindTaker(Process* faulting, FaultOutcome outcome)
    {
        Processes processes = faulting->Table;
        bool isOwnLimit = outcome == FaultOutcome.OutOfMemory && processes.VNodes.IsFull(faulting->VNode);
        Process* taker = null;
        ulong most = 0;
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            if (process->Space == null || process->FirstThread == null || process->EndsForMemory
                || (isOwnLimit && process->VNode != faulting->VNode))
            {
                continue;
            }

            ExCache.Measure(process->Space, out ulong pages, out ulong tables);
            ulong taken = outcome == FaultOutcome.OutOfMemory ? pages : tables;
            if (taken > most)
            {
                most = taken;
                taker = process;
            }
        }

        return taker;
    }
}
