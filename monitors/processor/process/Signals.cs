// Sending signals. The waits that a signal interrupts are in Signals.Waits.cs, what is pending in Signals.Queues.cs; what happens to a
// signal when its thread returns to user mode is in SignalDelivery.cs; the system calls are in linux/SignalCalls.cs. signal(7) is the
// contract. Nothing here blocks.
//
// A signal for a process waits in the process's queue, and whichever thread that does not block it comes by first acts on it. Sending wakes
// one such thread (all of them, if it ends the process); a thread that blocks it later wakes another one (SetMask), so that it is not
// overlooked.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Signals of the processes of this component.</summary>
public static unsafe partial class Signals
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
    internal const ulong DumpsCore = (1UL << (Signal.Quit - 1)) | (1UL << (Signal.IllegalInstruction - 1)) | (1UL << (Signal.Trap - 1))
        | (1UL << (Signal.Abort - 1)) | (1UL << (Signal.BusError - 1)) | (1UL << (Signal.FloatingPoint - 1))
        | (1UL << (Signal.SegmentationFault - 1)) | (1UL << (Signal.CpuTime - 1)) | (1UL << (Signal.FileSize - 1))
        | (1UL << (Signal.BadSystemCall - 1));

    private const ulong ContinueBit = 1UL << (Signal.Continue - 1);

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

    /// <summary>The same for the sessions of all programs.</summary>
    public static void SendToTerminalSessions(Processes table, in SignalInfo info)
    {
        for (Process* process = table.First; process != null; process = process->Next)
        {
            if (process->TerminalSession != 0)
            {
                Send(process, in info);
            }
        }
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
        || ((Signal.Bit(signal) & (Stops | IgnoredByDefault | DumpsCore)) == 0
            && (*process->Actions)[signal].Handler == SignalAction.Default);

    /// <summary>True when nothing would happen on this signal.</summary>
    public static bool IsIgnored(Process* process, int signal)
    {
        ulong handler = (*process->Actions)[signal].Handler;
        return handler == SignalAction.Ignore || (handler == SignalAction.Default && (IgnoredByDefault & Signal.Bit(signal)) != 0);
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
