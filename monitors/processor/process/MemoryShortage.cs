// Who pays when memory has run out: whoever has taken most of it, not whoever comes next. A fault may fail for another's page (the victim that
// it wants to write back finds no frame at its owner) or for another's page tables. So the process that costs most is ended, and the fault tries
// again when that one's memory has come back. BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The attempts of one fault to get memory.</summary>
public unsafe struct MemoryShortage
{
    private const ulong PauseNs = 2_000_000;
    /// <summary>Some ten seconds: the end of a large process takes messages and time.</summary>
    private const int MaxPauses = 5000;

    private int _pauses;

    /// <summary>
    /// True: memory may have come back, the fault is worth another attempt. False: it is the faulting process that has taken most, or
    /// nothing helps; the caller ends it.
    /// </summary>
    public bool IsRelieved(Process* faulting, FaultOutcome outcome)
    {
        bool isShortage = outcome is FaultOutcome.OutOfMemory or FaultOutcome.OutOfKernelMemory;
        if (!isShortage || _pauses >= MaxPauses || faulting->Thread->Doomed)
        {
            return false;
        }

        _pauses++;
        Process* taker = FindTaker(faulting->Table, outcome, out bool isEnding);
        if (!isEnding)
        {
            if (taker == null || taker == faulting)
            {
                return false;
            }

            Deaths.Kill(taker, outcome, taker->Space->Home);
        }

        Scheduler.Sleep(PauseNs);
        return true;
    }

    /// <summary>The process that has taken most. While one that was ended for it still holds its memory, none other need go.</summary>
    private static Process* FindTaker(Processes processes, FaultOutcome outcome, out bool isEnding)
    {
        Process* taker = null;
        ulong most = 0;
        isEnding = false;
        for (Process* process = processes.First; process != null; process = process->Next)
        {
            if (process->Space == null || process->Thread == null)
            {
                continue;
            }

            ExCache.Measure(process->Space, out ulong pages, out ulong tables);
            ulong taken = outcome == FaultOutcome.OutOfMemory ? pages : tables;
            if (taken > most)
            {
                most = taken;
                taker = process;
                isEnding = process->Thread->Doomed;
            }
        }

        return taker;
    }
}
