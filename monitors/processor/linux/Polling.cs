// Waiting for several files: poll, ppoll, select, pselect6 (poll(2), select(2)). A round asks every file; between rounds the caller waits
// for Readiness.Changed. epoll, which remembers what it watches, is in EventCalls.cs.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that wait for readiness.</summary>
public static unsafe class Polling
{
    private const ulong MillisecondNs = 1_000_000;
    private const ulong MicrosecondNs = 1_000;
    private const ulong Forever = ulong.MaxValue;
    private const int SignalSetBytes = 8;
    private const int WordBits = 64;
    private const int MaxSelect = 1024;

    private const PollEvents AlwaysReported = PollEvents.Error | PollEvents.HangUp | PollEvents.Invalid;

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct PollEntry
    {
        internal int Descriptor;
        internal PollEvents Wanted;
        internal PollEvents Returned;
    }

    /// <summary>pselect6's last argument.</summary>
    private struct SelectMask
    {
        internal ulong Address;
        internal ulong LengthBytes;
    }

    [SystemCall(7, "poll", Support.Full)]
    internal static long Poll(ref SystemCall call)
    {
        int timeoutMs = (int)call.A2;
        ulong deadline = timeoutMs < 0 ? Forever : Clock.NowNs() + ((ulong)timeoutMs * MillisecondNs);
        if (call.ResumedDeadlineNs != 0)
        {
            deadline = call.ResumedDeadlineNs;
        }

        long result = WaitForEntries(ref call, deadline);
        return result == SystemCall.Fail(Errno.EINTR) ? call.FailKeeping(Errno.EINTR, deadline) : result;
    }

    [SystemCall(271, "ppoll", Support.Full)]
    internal static long PollWithMask(ref SystemCall call)
    {
        Errno error = TimeSpecification.ReadDeadline(call.Process, call.A2, out ulong deadline);
        if (error == Errno.None)
        {
            error = SwapMask(ref call, call.A3, call.A4);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        long result = WaitForEntries(ref call, deadline);
        RestoreMask(ref call, call.A3, result);
        WriteRemaining(call.Process, call.A2, deadline);
        return result;
    }

    [SystemCall(23, "select", Support.Full)]
    internal static long Select(ref SystemCall call)
    {
        ulong deadline = Forever;
        if (call.A4 != 0)
        {
            Errno error = new UserPointer<TimeSpecification>(call.A4).Read(call.Process, out TimeSpecification time);
            time.Nanoseconds *= (long)MicrosecondNs;
            // select normalises excess microseconds (select(2)); only negative ones are wrong.
            if (error == Errno.None && (time.Seconds < 0 || time.Nanoseconds < 0))
            {
                error = Errno.EINVAL;
            }

            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            deadline = TimeSpecification.DeadlineAfter(time.TotalNs);
        }

        long result = WaitForSets(ref call, deadline);
        if (call.A4 != 0)
        {
            ulong now = Clock.NowNs();
            TimeSpecification left = TimeSpecification.FromNs(deadline > now ? deadline - now : 0);
            left.Nanoseconds /= (long)MicrosecondNs;
            // The result stands even if the time cannot be told.
            new UserPointer<TimeSpecification>(call.A4).Write(call.Process, in left);
        }

        return result;
    }

    [SystemCall(270, "pselect6", Support.Full)]
    internal static long SelectWithMask(ref SystemCall call)
    {
        Errno error = TimeSpecification.ReadDeadline(call.Process, call.A4, out ulong deadline);
        SelectMask mask = default;
        if (error == Errno.None && call.A5 != 0)
        {
            error = new UserPointer<SelectMask>(call.A5).Read(call.Process, out mask);
        }

        if (error == Errno.None)
        {
            error = SwapMask(ref call, mask.Address, mask.LengthBytes);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        long result = WaitForSets(ref call, deadline);
        RestoreMask(ref call, mask.Address, result);
        WriteRemaining(call.Process, call.A4, deadline);
        return result;
    }

    /// <summary>ppoll and pselect6 write the time left; the result stands even if that fails.</summary>
    private static void WriteRemaining(Process* process, ulong address, ulong deadline)
    {
        if (address != 0)
        {
            ulong now = Clock.NowNs();
            TimeSpecification left = TimeSpecification.FromNs(deadline > now ? deadline - now : 0);
            new UserPointer<TimeSpecification>(address).Write(process, in left);
        }
    }

    internal static Errno SwapMask(ref SystemCall call, ulong address, ulong lengthBytes)
    {
        if (address == 0)
        {
            return Errno.None;
        }

        if (lengthBytes != SignalSetBytes)
        {
            return Errno.EINVAL;
        }

        Errno error = new UserPointer<ulong>(address).Read(call.Process, out ulong mask);
        if (error == Errno.None)
        {
            call.Thread->SavedMask = call.Thread->BlockedSignals;
            call.Thread->BlockedSignals = mask & ~Signals.Unblockable;
        }

        return error;
    }

    /// <summary>After EINTR the old mask comes back only when the signal has been handled: the dispatcher does it.</summary>
    internal static void RestoreMask(ref SystemCall call, ulong address, long result)
    {
        if (address == 0)
        {
            return;
        }

        if (result == SystemCall.Fail(Errno.EINTR))
        {
            call.Thread->RestoresSavedMask = true;
        }
        else
        {
            call.Thread->BlockedSignals = call.Thread->SavedMask;
        }
    }

    /// <summary>Waits for the next change after a moment that Readiness.Changes told. ETIMEDOUT, EINTR.</summary>
    internal static Errno WaitForChange(Readiness readiness, ulong since, ulong deadline)
    {
        bool changed = readiness.Changes != since && Clock.NowNs() < deadline;
        return changed ? Errno.None : Signals.WaitUntil(ref readiness.Changed, deadline);
    }

    private static long WaitForEntries(ref SystemCall call, ulong deadline)
    {
        uint count = (uint)call.A1;
        if (count > DescriptorCalls.LimitOf(call.Process))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserPointer<PollEntry> entries = new(call.A0);
        while (true)
        {
            // The copies of the round may block: what changes meanwhile is seen by the count.
            ulong since = call.Files.Readiness.Changes;
            long ready = 0;
            for (uint index = 0; index < count; index++)
            {
                Errno error = entries.ReadAt(call.Process, index, out PollEntry entry);
                if (error == Errno.None)
                {
                    entry.Returned = EventsOf(call.Process, entry.Descriptor, entry.Wanted);
                    ready += entry.Returned != 0 ? 1 : 0;
                    error = entries.WriteAt(call.Process, index, in entry);
                }

                if (error != Errno.None)
                {
                    return SystemCall.Fail(error);
                }
            }

            Errno waited = ready != 0 ? Errno.None : WaitForChange(call.Files.Readiness, since, deadline);
            if (ready != 0 || waited == Errno.ETIMEDOUT)
            {
                return ready;
            }

            if (waited != Errno.None)
            {
                return SystemCall.Fail(waited);
            }
        }
    }

    private static PollEvents EventsOf(Process* process, int descriptor, PollEvents wanted)
    {
        if (descriptor < 0)
        {
            return PollEvents.None;
        }

        using Descriptor held = Descriptor.Of(process, (ulong)descriptor);
        if (held.IsBad)
        {
            return PollEvents.Invalid;
        }

        if ((wanted & PollEvents.In) != 0)
        {
            held.Operations.Prompt(process, held.File);
        }

        return held.Operations.Poll(held.File) & (wanted | AlwaysReported);
    }

    private static long WaitForSets(ref SystemCall call, ulong deadline)
    {
        int count = (int)call.A0;
        if (count < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        count = Math.Min(count, MaxSelect);
        int words = (count + WordBits - 1) / WordBits;
        Span<ulong> sets = stackalloc ulong[3 * MaxSelect / WordBits];
        Span<ulong> results = stackalloc ulong[3 * MaxSelect / WordBits];
        Errno error = Errno.None;
        for (int set = 0; set < 3 && error == Errno.None; set++)
        {
            ulong address = AddressOfSet(ref call, set);
            Span<ulong> wanted = sets.Slice(set * words, words);
            wanted.Clear();
            error = address == 0 ? Errno.None : UserMemory.CopyIn(call.Process, address, MemoryMarshal.AsBytes(wanted));
        }

        while (error == Errno.None)
        {
            ulong since = call.Files.Readiness.Changes;
            results.Clear();
            long ready = 0;
            for (int descriptor = 0; descriptor < count && error == Errno.None; descriptor++)
            {
                error = Examine(call.Process, descriptor, sets, results, words, ref ready);
            }

            if (error == Errno.None && ready == 0)
            {
                error = WaitForChange(call.Files.Readiness, since, deadline);
            }

            if (error == Errno.ETIMEDOUT || (error == Errno.None && ready != 0))
            {
                return GiveSets(ref call, results, words, ready);
            }
        }

        return SystemCall.Fail(error);
    }

    private static Errno Examine(Process* process, int descriptor, ReadOnlySpan<ulong> sets, scoped Span<ulong> results, int words,
        ref long ready)
    {
        int word = descriptor / WordBits;
        ulong bit = 1UL << (descriptor % WordBits);
        if (((sets[word] | sets[words + word] | sets[(2 * words) + word]) & bit) == 0)
        {
            return Errno.None;
        }

        using Descriptor held = Descriptor.Of(process, (ulong)descriptor);
        if (held.IsBad)
        {
            return Errno.EBADF;
        }

        if ((sets[word] & bit) != 0)
        {
            held.Operations.Prompt(process, held.File);
        }

        PollEvents events = held.Operations.Poll(held.File);
        const PollEvents Failed = PollEvents.Error | PollEvents.Invalid;
        Report(sets, results, word, bit, (events & (PollEvents.In | PollEvents.HangUp | Failed)) != 0, ref ready);
        Report(sets, results, words + word, bit, (events & (PollEvents.Out | Failed)) != 0, ref ready);
        Report(sets, results, (2 * words) + word, bit, (events & (PollEvents.Priority | PollEvents.Invalid)) != 0, ref ready);
        return Errno.None;
    }

    private static void Report(ReadOnlySpan<ulong> sets, scoped Span<ulong> results, int word, ulong bit, bool isReady, ref long ready)
    {
        if (isReady && (sets[word] & bit) != 0)
        {
            results[word] |= bit;
            ready++;
        }
    }

    private static long GiveSets(ref SystemCall call, scoped Span<ulong> results, int words, long ready)
    {
        for (int set = 0; set < 3; set++)
        {
            ulong address = AddressOfSet(ref call, set);
            ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(results.Slice(set * words, words));
            Errno error = address == 0 ? Errno.None : UserMemory.CopyOut(call.Process, address, bytes);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }

        return ready;
    }

    private static ulong AddressOfSet(ref SystemCall call, int set) => set == 0 ? call.A1 : set == 1 ? call.A2 : call.A3;
}
