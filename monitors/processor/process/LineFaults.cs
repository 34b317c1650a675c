// The two users of the fault path: page faults of user mode, and the kernel's own copies to and from a program's memory. Turns the outcomes
// of ExCache.Resolve into signals or errors. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Page faults of programs.</summary>
public static unsafe class LineFaults
{
    /// <summary>
    /// Makes the page at <paramref name="address"/> resident for an access by the kernel on the program's behalf and gives the line's
    /// kernel address (page start). EFAULT. BLOCKS; the line stays resident until the caller blocks.
    /// </summary>
    public static Errno Pin(Process* process, ulong address, MissAccess access, out byte* line)
    {
        line = null;
        if (address >= UserMemory.Limit || process->Space == null)
        {
            return Errno.EFAULT;
        }

        // Nearly always the page is there: that much of Resolve without its frame.
        ulong* entry = PageTable.Find(process->Space->PageTableRoot, address);
        if (entry == null || !PageState.IsPresent(*entry) || !PageState.Allows(*entry, access))
        {
            Errno error = Fault(process, address, access, out entry);
            if (error != Errno.None)
            {
                return error;
            }
        }

        PageTable.SetBits(entry, access == MissAccess.Write ? PageTable.Accessed | PageTable.Dirty : PageTable.Accessed);
        line = ExCache.PageOf(*entry);
        return Errno.None;
    }

    private static Errno Fault(Process* process, ulong address, MissAccess access, out ulong* entry)
    {
        ExCache cache = process->Table.Cache;
        MemoryShortage shortage = default;
        FaultOutcome outcome;
        do
        {
            outcome = cache.Resolve(process->Space, address, access, LinePlacement.OwnSet, out entry);
        }
        while (outcome >= FaultOutcome.OutOfMemory && shortage.IsRelieved(process, outcome));

        if (outcome != FaultOutcome.Resident)
        {
            if (outcome >= FaultOutcome.OutOfMemory)
            {
                process->EndsForMemory = outcome != FaultOutcome.Unreachable;
                Deaths.Kill(process, outcome, process->Space->OwnerOf(address));
            }

            return Errno.EFAULT;
        }

        return Errno.None;
    }

    /// <summary>
    /// Copies from a space that is not the caller's own (/proc/PID/cmdline). The caller holds it (Spaces.Hold). EFAULT for whatever cannot
    /// be read; nobody dies of it.
    /// </summary>
    [Blocks]
    public static Errno CopyFromStranger(ExCache cache, AddressSpace* space, ulong address, Span<byte> to)
    {
        for (int done = 0; done < to.Length;)
        {
            ulong at = address + (ulong)done;
            if (at >= UserMemory.Limit
                || cache.Resolve(space, at, MissAccess.Read, LinePlacement.OwnSet, out ulong* entry) != FaultOutcome.Resident)
            {
                return Errno.EFAULT;
            }

            PageTable.SetBits(entry, PageTable.Accessed);
            ulong inPage = at & (PageOperations.PageSize - 1);
            int chunk = Math.Min((int)(PageOperations.PageSize - inPage), to.Length - done);
            new ReadOnlySpan<byte>(ExCache.PageOf(*entry) + inPage, chunk).CopyTo(to.Slice(done));
            done += chunk;
        }

        return Errno.None;
    }

    /// <summary>
    /// Copies into a space that nobody runs in yet, for the process that will (execve). When memory has run out, who has taken most of it
    /// pays. ENOMEM: no line, page table or frame could be had, or its memory component does not answer.
    /// </summary>
    [Blocks]
    public static Errno CopyToStranger(Process* process, AddressSpace* space, ulong address, ReadOnlySpan<byte> from)
    {
        MemoryShortage shortage = default;
        while (from.Length > 0)
        {
            FaultOutcome outcome = process->Table.Cache.Resolve(space, address, MissAccess.Write, LinePlacement.OwnSet, out ulong* entry);
            if (outcome != FaultOutcome.Resident)
            {
                if (shortage.IsRelieved(process, outcome))
                {
                    continue;
                }

                return Errno.ENOMEM;
            }

            PageTable.SetBits(entry, PageTable.Accessed | PageTable.Dirty);
            ulong inPage = address & (PageOperations.PageSize - 1);
            int chunk = Math.Min((int)(PageOperations.PageSize - inPage), from.Length);
            from.Slice(0, chunk).CopyTo(new Span<byte>(ExCache.PageOf(*entry) + inPage, chunk));
            from = from.Slice(chunk);
            address += (ulong)chunk;
        }

        return Errno.None;
    }

    /// <summary>A page fault of the current thread in user mode.</summary>
    public static void OnUserFault(UserThread* thread, ulong address, MissAccess access)
    {
        ExCache cache = thread->Process->Table.Cache;
        cache.CountFault();
        ulong fills = cache.FillsFromMemory;
        LinePlacement placement = LinePlacement.OwnSet;
        if (cache.HasOverflowLines && HasMadeNoProgress(thread))
        {
            placement = LinePlacement.Overflow;
        }

        FaultOutcome outcome = address < UserMemory.Limit
            ? cache.Resolve(thread->Process->Space, address, access, placement, out _)
            : FaultOutcome.NotMapped;
        if (outcome >= FaultOutcome.OutOfMemory)
        {
            outcome = ResolveInShortage(thread, address, access, placement, outcome);
        }

        if (outcome != FaultOutcome.Resident)
        {
            Fail(thread, address, outcome);
        }
        else if (cache.FillsFromMemory == fills)
        {
            thread->Process->MinorFaults++;
        }
        else
        {
            // Others may have fetched meanwhile, but only while this fault waited for a page, too.
            thread->Process->MajorFaults++;
        }
    }

    /// <summary>Tries on for as long as somebody gives memory back.</summary>
    private static FaultOutcome ResolveInShortage(
        UserThread* thread, ulong address, MissAccess access, LinePlacement placement, FaultOutcome outcome)
    {
        MemoryShortage shortage = default;
        while (outcome >= FaultOutcome.OutOfMemory && shortage.IsRelieved(thread->Process, outcome))
        {
            outcome = thread->Process->Table.Cache.Resolve(thread->Process->Space, address, access, placement, out _);
        }

        return outcome;
    }

    /// <summary>The access cannot be made good: a signal, or the end of the process.</summary>
    private static void Fail(UserThread* thread, ulong address, FaultOutcome outcome)
    {
        SignalInfo info = new() { Number = Signal.SegmentationFault, Code = SignalCode.SegmentNotMapped, Value = address };
        switch (outcome)
        {
            case FaultOutcome.NotMapped:
                break;
            case FaultOutcome.NotAllowed:
                info.Code = SignalCode.SegmentAccess;
                break;
            case FaultOutcome.BeyondFile:
                info.Number = Signal.BusError;
                info.Code = SignalCode.BusAddress;
                break;
            default:
                thread->Process->EndsForMemory = outcome != FaultOutcome.Unreachable;
                Deaths.Kill(thread->Process, outcome, thread->Process->Space->OwnerOf(address));
                return;
        }

        thread->FaultAddress = address;
        Signals.Force(thread, in info);
    }

    /// <summary>
    /// True when the thread has faulted so often with the very same registers that its instruction must be losing pages to each other:
    /// code, operands and stack of one instruction may fall into one small set.
    /// </summary>
    private static bool HasMadeNoProgress(UserThread* thread)
    {
        UserContext* user = thread->User;
        ulong fingerprint = Mix(Mix(Mix(Mix(user->Rip, user->Rsp), user->Rax), user->Rbx), user->Rcx);
        fingerprint = Mix(Mix(Mix(Mix(fingerprint, user->Rdx), user->Rsi), user->Rdi), user->Rbp);
        fingerprint = Mix(Mix(Mix(Mix(fingerprint, user->R8), user->R9), user->R10), user->R11);
        fingerprint = Mix(Mix(Mix(Mix(fingerprint, user->R12), user->R13), user->R14), user->R15);
        if (fingerprint != thread->FaultFingerprint)
        {
            thread->FaultFingerprint = fingerprint;
            thread->FaultsWithoutProgress = 0;
            return false;
        }

        thread->FaultsWithoutProgress++;
        return thread->FaultsWithoutProgress > ExCache.PagesOfOneInstruction;
    }

    private static ulong Mix(ulong hash, ulong value) => System.Numerics.BitOperations.RotateLeft(hash, 7) ^ value;
}
