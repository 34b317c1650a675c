// Sending signals, and waiting for something in a way that a signal interrupts. What happens to a signal when its thread returns to user
// mode is in SignalDelivery.cs; the system calls are in linux/SignalCalls.cs. signal(7) is the contract. Only the waits block.
//
// A signal for a process waits in the process's queue, and whichever thread that does not block it comes by first acts on it. Sending wakes
// one such thread (all of them, if it ends the process); a thread that blocks it later wakes another one (SetMask), so that it is not
// overlooked.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Signals of the processes of this component.</summary>
public static unsafe class Signals
{
    /// <summary>Signals that cannot be caught, blocked or ignored.</summary>
    public const ulong Unblockable = (1UL << (Signal.Kill - 1)) | (1UL << (Signal.Stop - 1));

    /// <summary>Signals whose default action stops the process.</summary>
    public const ulong Stops = (1UL << (Signal.Stop - 1)) | (1UL << (Signal.TerminalStop - 1)) | (1UL << (Signal.TerminalInput - 1))
        | (1UL << (Signal.TerminalOutput - 1));

    /// <summary>Signals whose default action is nothing.</summary>
    private const ulong IgnoredByDefault = (1UL << (Signal.Child - 1)) | (1UL << (Signal.Continue - 1)) | (1UL << (Signal.Urgent - 1))
        | (1UL << (Signal.WindowChange - 1));

    /// <summary>Signals whose default action ends the process with a core dump.</summary>
    private const ulong DumpsCore = (1UL << (Signal.Quit - 1)) | (1UL << (Signal.IllegalInstruction - 1)) | (1UL << (Signal.Trap - 1))
        | (1UL << (Signal.Abort - 1)) | (1UL << (Signal.BusError - 1)) | (1UL << (Signal.FloatingPoint - 1)) | (1UL << (Signal.SegmentationFault - 1))
        | (1UL << (Signal.CpuTime - 1)) | (1UL << (Signal.FileSize - 1)) | (1UL << (Signal.BadSystemCall - 1));

    /// <summary>RLIMIT_SIGPENDING.</summary>
    private const int PendingLimit = 11;

    private const ulong ContinueBit = 1UL << (Signal.Continue - 1);

    /// <summary>
    /// Waits on a queue; EINTR at once when a signal that the current thread must act on is pending, or as soon as one comes. In a kernel
    /// thread it is a plain wait. A wake-up says nothing about the condition: check it again, also after EINTR where work may be lost.
    /// </summary>
    [Blocks]
    public static Errno Wait(ref WaitQueue queue) => WaitUntil(ref queue, ulong.MaxValue);

    /// <summary>
    /// Waits on a queue as a call that cannot be interrupted does: only the coming end of its process ends the wait (EINTR). Other signals
    /// are a wake-up like any other.
    /// </summary>
    [Blocks]
    public static Errno WaitKillable(ref WaitQueue queue)
    {
        UserThread* thread = UserThread.Current;
        if (IsDying(thread))
        {
            return Errno.EINTR;
        }

        Wait(thread, ref queue, ulong.MaxValue);
        return IsDying(thread) ? Errno.EINTR : Errno.None;
    }

    /// <summary>As <see cref="Wait"/> with a deadline in Clock.NowNs time: ETIMEDOUT when it passes.</summary>
    public static Errno WaitUntil(ref WaitQueue queue, ulong deadlineNs)
    {
        UserThread* thread = UserThread.Current;
        if (thread == null)
        {
            return queue.WaitUntil(deadlineNs) ? Errno.None : Errno.ETIMEDOUT;
        }

        if (IsPending(thread))
        {
            return Errno.EINTR;
        }

        bool woken = Wait(thread, ref queue, deadlineNs);
        if (IsPending(thread))
        {
            return Errno.EINTR;
        }

        return woken ? Errno.None : Errno.ETIMEDOUT;
    }

    /// <summary>
    /// True when the thread has something to act on before it continues: a signal, pending and not blocked; a stop; its end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsPending(UserThread* thread) =>
        thread->Doomed | thread->JoinsStop || ((thread->Pending.Mask | thread->Process->Pending.Mask) & ~thread->BlockedSignals) != 0;

    /// <summary>
    /// True when the process will end at the thread's next return to user mode: it is doomed, or a signal is pending whose default action
    /// is the end. Deaths that leave a core dump are not among them, as in Linux (complete_signal).
    /// </summary>
    public static bool IsDying(UserThread* thread)
    {
        ulong pending = (thread->Pending.Mask | thread->Process->Pending.Mask) & ~thread->BlockedSignals & ~(Stops | IgnoredByDefault | DumpsCore);
        if (thread->Doomed || (pending & Signal.Bit(Signal.Kill)) != 0)
        {
            return true;
        }

        while (pending != 0)
        {
            int signal = System.Numerics.BitOperations.TrailingZeroCount(pending) + 1;
            if ((*thread->Process->Actions)[signal].Handler == SignalAction.Default)
            {
                return true;
            }

            pending &= pending - 1;
        }

        return false;
    }

    /// <summary>
    /// Sends a signal to a process as kill(2) does, without permission checks. Wakes it when the signal is not blocked or ignored. EAGAIN:
    /// a queued (real-time) signal with details finds no room (RLIMIT_SIGPENDING), and has not been sent.
    /// </summary>
    public static Errno Send(Process* process, in SignalInfo info)
    {
        if (!Prepare(process, process->Leader, info.Number))
        {
            return Errno.None;
        }

        Errno error = Enqueue(process, ref process->Pending, in info);
        if (error == Errno.None)
        {
            WakeFor(process, info.Number, null);
        }

        return error;
    }

    /// <summary>Sends a signal to one thread (tgkill). EAGAIN as <see cref="Send"/>.</summary>
    public static Errno SendToThread(UserThread* thread, in SignalInfo info)
    {
        if (thread->IsExiting || !Prepare(thread->Process, thread, info.Number))
        {
            return Errno.None;
        }

        Errno error = Enqueue(thread->Process, ref thread->Pending, in info);
        if (error == Errno.None && Wants(thread, info.Number))
        {
            Alert(thread);
        }

        return error;
    }

    /// <summary>
    /// Sends a signal to all processes of a group; false when there is none. A child that fork is still making gets it, too, and acts on it
    /// when it first runs: no member escapes because it is being born.
    /// </summary>
    public static bool SendToGroup(Processes table, uint group, in SignalInfo info)
    {
        bool found = false;
        for (Process* process = table.First; process != null; process = process->Next)
        {
            if (process->Group == group)
            {
                found |= process->State is ProcessState.Running or ProcessState.Stopped;
                Send(process, in info);
            }
        }

        return found;
    }

    /// <summary>
    /// Sends a signal to all processes that descend from the program of a session, whatever sessions they have made since; false when there
    /// is none.
    /// </summary>
    public static bool SendToTerminalSession(Processes table, uint session, in SignalInfo info)
    {
        bool found = false;
        for (Process* process = table.First; process != null; process = process->Next)
        {
            if (process->TerminalSession == session)
            {
                found |= process->State is ProcessState.Running or ProcessState.Stopped;
                Send(process, in info);
            }
        }

        return found;
    }

    /// <summary>
    /// Sends the current thread a signal that it caused by an instruction. Blocking or ignoring it does not help: the instruction would
    /// fault again, so the action then becomes the default (as force_sig does in Linux).
    /// </summary>
    public static void Force(UserThread* thread, in SignalInfo info)
    {
        ref SignalAction action = ref (*thread->Process->Actions)[info.Number];
        ulong bit = Signal.Bit(info.Number);
        if ((thread->BlockedSignals & bit) != 0 || action.Handler == SignalAction.Ignore)
        {
            action.Handler = SignalAction.Default;
            thread->BlockedSignals &= ~bit;
        }

        Enqueue(thread->Process, ref thread->Pending, in info);
    }

    /// <summary>
    /// Ends a process with a wait status: each thread at its next return to user mode, whatever its signals say. The first status counts.
    /// </summary>
    public static void Doom(Process* process, uint waitStatus)
    {
        if (process->FirstThread == null || process->IsEnding)
        {
            return;
        }

        process->IsEnding = true;
        process->EndStatus = waitStatus;
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            Doom(thread);
        }
    }

    /// <summary>Ends a thread at its next return to user mode.</summary>
    public static void Doom(UserThread* thread)
    {
        if (!thread->IsExiting)
        {
            thread->Doomed = true;
            thread->Process->StopChanged.WakeAll();
            Alert(thread);
        }
    }

    /// <summary>
    /// There is something for a thread to act on: a wait that can be interrupted ends, and so does its time in user mode.
    /// </summary>
    public static void Alert(UserThread* thread)
    {
        if (thread->WaitsOn != null)
        {
            thread->WaitsOn->WakeAll();
        }
        else if (thread->Kernel != null)
        {
            Scheduler.Interrupt(thread->Kernel);
        }
    }

    /// <summary>Changes which signals a thread blocks. What it now leaves to others, another thread hears of.</summary>
    public static void SetMask(UserThread* thread, ulong blocked)
    {
        ulong left = thread->Process->Pending.Mask & blocked & ~thread->BlockedSignals;
        thread->BlockedSignals = blocked;
        for (; left != 0 && thread->Process->ThreadCount > 1; left &= left - 1)
        {
            WakeFor(thread->Process, System.Numerics.BitOperations.TrailingZeroCount(left) + 1, thread);
        }
    }

    /// <summary>
    /// True when the signal, delivered, ends the process at once: its default action is the end, without a core dump (Linux's
    /// complete_signal).
    /// </summary>
    private static bool EndsProcess(Process* process, int signal) =>
        signal == Signal.Kill
        || ((Signal.Bit(signal) & (Stops | IgnoredByDefault | DumpsCore)) == 0 && (*process->Actions)[signal].Handler == SignalAction.Default);

    /// <summary>True when nothing would happen on this signal.</summary>
    public static bool IsIgnored(Process* process, int signal)
    {
        ulong handler = (*process->Actions)[signal].Handler;
        return handler == SignalAction.Ignore || (handler == SignalAction.Default && (IgnoredByDefault & Signal.Bit(signal)) != 0);
    }

    /// <summary>
    /// Takes the next signal outside a mask out of the thread's and its process's queues; synchronous ones first, then lowest number.
    /// </summary>
    public static bool TryDequeue(UserThread* thread, ulong blocked, out SignalInfo info)
    {
        bool taken = TryTake(thread->Process->Table, ref thread->Pending, ~blocked, out info)
            || TryTake(thread->Process->Table, ref thread->Process->Pending, ~blocked, out info);
        if (taken && (info.Number == Signal.Alarm || info.Code == SignalCode.Timer))
        {
            thread->Process->Table.Timers.SignalTaken(thread->Process, ref info);
        }

        return taken;
    }

    /// <summary>Forgets all pending signals of a queue.</summary>
    public static void Clear(Processes table, ref SignalQueue queue) => Remove(table, ref queue, ulong.MaxValue);

    /// <summary>Forgets pending signals of a mask.</summary>
    public static void Remove(Processes table, ref SignalQueue queue, ulong mask)
    {
        while (TryTake(table, ref queue, mask, out _))
        {
        }
    }

    private static bool Wait(UserThread* thread, ref WaitQueue queue, ulong deadlineNs)
    {
        thread->WaitsOn = (WaitQueue*)Unsafe.AsPointer(ref queue);
        thread->Process->VoluntarySwitches++;
        bool woken = queue.WaitUntil(deadlineNs);
        thread->WaitsOn = null;
        return woken;
    }

    /// <summary>The effects of sending that do not wait for delivery; false when there is nothing to deliver.</summary>
    /// <param name="thread">Whose mask says whether a signal that would be ignored is kept: the receiver, the leader for a process.</param>
    private static bool Prepare(Process* process, UserThread* thread, int signal)
    {
        if (process->FirstThread == null || process->State == ProcessState.Zombie || signal == 0)
        {
            return false;
        }

        ulong bit = Signal.Bit(signal);
        if (signal == Signal.Continue || signal == Signal.Kill)
        {
            Forget(process, Stops);
            ProcessStops.Resume(process, signal);
        }
        else if ((bit & Stops) != 0)
        {
            Forget(process, ContinueBit);
        }

        bool blocked = (thread->BlockedSignals & bit & ~Unblockable) != 0 || (thread->AwaitedSignals & bit) != 0;
        return blocked || !IsIgnored(process, signal);
    }

    /// <summary>Forgets pending signals of a mask, of a process and all its threads.</summary>
    public static void Forget(Process* process, ulong mask)
    {
        Remove(process->Table, ref process->Pending, mask);
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            Remove(process->Table, ref thread->Pending, mask);
        }
    }

    private static Errno Enqueue(Process* process, ref SignalQueue queue, in SignalInfo info)
    {
        ulong bit = Signal.Bit(info.Number);
        bool isRealTime = info.Number >= Signal.FirstRealTime;
        // A timer has one signal under way at most, and its number may be in use by others.
        if ((queue.Mask & bit) != 0 && !isRealTime && info.Code != SignalCode.Timer)
        {
            return Errno.None;
        }

        bool hasRoom = (!isRealTime && info.Code >= SignalCode.User) || HasRoom(process);
        PendingSignal* item = hasRoom ? process->Table.PendingSignals.Allocate() : null;
        if (item == null)
        {
            // Like Linux at RLIMIT_SIGPENDING: a queued signal fails, any other arrives without its details.
            if (isRealTime && info.Code != SignalCode.User)
            {
                return Errno.EAGAIN;
            }

            queue.Mask |= bit;
            return Errno.None;
        }

        item->Info = info;
        queue.Mask |= bit;
        queue.Count++;
        if (queue.First == null)
        {
            queue.First = item;
        }
        else
        {
            queue.Last->Next = item;
        }

        queue.Last = item;
        return Errno.None;
    }

    /// <summary>RLIMIT_SIGPENDING counts what is queued for all processes of the receiver's user (getrlimit(2)).</summary>
    private static bool HasRoom(Process* process) => QueuedFor(process->Table, process->UserId) < process->Limits[2 * PendingLimit];

    /// <summary>Signals with details that wait for delivery to a user's processes.</summary>
    public static ulong QueuedFor(Processes table, uint user)
    {
        ulong queued = 0;
        for (Process* other = table.First; other != null; other = other->Next)
        {
            if (other->UserId == user)
            {
                queued += other->Pending.Count;
                for (UserThread* thread = other->FirstThread; thread != null; thread = thread->Next)
                {
                    queued += thread->Pending.Count;
                }
            }
        }

        return queued;
    }

    private static bool TryTake(Processes table, ref SignalQueue queue, ulong wanted, out SignalInfo info)
    {
        const ulong Synchronous = (1UL << (Signal.SegmentationFault - 1)) | (1UL << (Signal.BusError - 1)) | (1UL << (Signal.IllegalInstruction - 1))
            | (1UL << (Signal.Trap - 1)) | (1UL << (Signal.FloatingPoint - 1)) | (1UL << (Signal.BadSystemCall - 1));
        info = default;
        ulong candidates = queue.Mask & wanted;
        if (candidates == 0)
        {
            return false;
        }

        if ((candidates & Synchronous) != 0)
        {
            candidates &= Synchronous;
        }

        int signal = System.Numerics.BitOperations.TrailingZeroCount(candidates) + 1;
        info = new SignalInfo { Number = signal, Code = SignalCode.User };
        bool taken = false;
        bool more = false;
        PendingSignal* previous = null;
        PendingSignal* next;
        for (PendingSignal* item = queue.First; item != null && !more; item = next)
        {
            next = item->Next;
            if (item->Info.Number != signal)
            {
                previous = item;
            }
            else if (taken)
            {
                more = true;
            }
            else
            {
                info = item->Info;
                taken = true;
                if (previous == null)
                {
                    queue.First = next;
                }
                else
                {
                    previous->Next = next;
                }

                if (queue.Last == item)
                {
                    queue.Last = previous;
                }

                queue.Count--;
                table.PendingSignals.Free(item);
            }
        }

        if (!more)
        {
            queue.Mask &= ~Signal.Bit(signal);
        }

        return true;
    }

    /// <summary>Wakes a thread, other than one, that takes a signal for the process; all of them when it is the end.</summary>
    private static void WakeFor(Process* process, int signal, UserThread* except)
    {
        bool ends = EndsProcess(process, signal);
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            if (thread != except && Wants(thread, signal))
            {
                if (ends)
                {
                    WakeAll(process);
                }
                else
                {
                    Alert(thread);
                }

                return;
            }
        }
    }

    private static void WakeAll(Process* process)
    {
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            Alert(thread);
        }
    }

    private static bool Wants(UserThread* thread, int signal)
    {
        ulong bit = Signal.Bit(signal);
        return !thread->IsExiting && ((thread->BlockedSignals & bit & ~Unblockable) == 0 || (thread->AwaitedSignals & bit) != 0);
    }
}
