// Stopping and continuing a process (job control), and telling the parent about changes of state (wait(2), SIGCHLD). A stop begins with the
// thread that takes the signal; the others join it at their next return to user mode, and with the last one the process is Stopped. Only
// Stop and Join block.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Job control.</summary>
public static unsafe class ProcessStops
{
    /// <summary>The current thread stops its process because of a signal; returns when it has been continued or is to end.</summary>
    [Blocks]
    public static void Stop(UserThread* thread, int signal)
    {
        Process* process = thread->Process;
        process->StopSignal = signal;
        for (UserThread* other = process->FirstThread; other != null; other = other->Next)
        {
            other->JoinsStop = !other->IsStopped && !other->IsExiting;
            if (other->JoinsStop && other != thread)
            {
                Signals.Alert(other);
            }
        }

        Join(thread);
    }

    /// <summary>The current thread takes part in the stop that is under way; returns as <see cref="Stop"/>.</summary>
    [Blocks]
    public static void Join(UserThread* thread)
    {
        Process* process = thread->Process;
        thread->JoinsStop = false;
        thread->IsStopped = true;
        CompleteIfAllJoined(process);
        while (process->StopSignal != 0 && !thread->Doomed)
        {
            process->StopChanged.Wait();
        }

        thread->IsStopped = false;
        if (process->State == ProcessState.Stopped)
        {
            // It ends; a process with threads that end is not stopped.
            process->State = ProcessState.Running;
        }
    }

    /// <summary>
    /// A thread has joined a stop, or has ended instead: the process is stopped if it was the last one that others waited for.
    /// </summary>
    public static void CompleteIfAllJoined(Process* process)
    {
        if (process->StopSignal == 0 || process->State != ProcessState.Running || process->IsEnding)
        {
            return;
        }

        bool isAnyStopped = false;
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            if (!thread->IsStopped && !thread->IsExiting)
            {
                return;
            }

            isAnyStopped |= thread->IsStopped;
        }

        if (isAnyStopped)
        {
            process->State = ProcessState.Stopped;
            process->WaitStatus = WaitStatus.Stopped(process->StopSignal);
            process->StopUnreported = true;
            process->ContinueUnreported = false;
            NotifyParent(process, SignalCode.ChildStopped, process->StopSignal);
        }
    }

    /// <summary>SIGCONT or SIGKILL has been sent.</summary>
    public static void Resume(Process* process, int signal)
    {
        bool wasStopped = process->State == ProcessState.Stopped;
        process->StopSignal = 0;
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            thread->JoinsStop = false;
        }

        process->StopChanged.WakeAll();
        if (!wasStopped)
        {
            return;
        }

        process->State = ProcessState.Running;
        process->StopUnreported = false;
        if (signal == Signal.Continue)
        {
            process->ContinueUnreported = true;
            NotifyParent(process, SignalCode.ChildContinued, Signal.Continue);
        }
    }

    /// <summary>Wakes the parent's waits and sends it SIGCHLD, unless it has asked not to hear of stops (SA_NOCLDSTOP).</summary>
    public static void NotifyParent(Process* process, int code, int status)
    {
        Process* parent = process->Parent;
        parent->ChildChanged.WakeAll();
        bool isStop = code is SignalCode.ChildStopped or SignalCode.ChildContinued;
        int signal = isStop ? Signal.Child : process->ExitSignal;
        // clone(2) takes any number for the signal of the end.
        if (signal is 0 or > Signal.Count || (isStop && ((*parent->Actions)[Signal.Child].Flags & SignalFlags.NoChildStop) != 0))
        {
            return;
        }

        SignalInfo info = new()
        {
            Number = signal,
            Code = code,
            ProcessId = process->Id,
            UserId = process->UserId,
            Status = status,
        };
        Signals.Send(parent, in info);
    }
}

/// <summary>The status word of wait(2) (sys/wait.h's macros take it apart).</summary>
public static class WaitStatus
{
    public const uint Continued = 0xFFFF;
    private const uint CoreDumped = 0x80;
    private const uint StoppedMark = 0x7F;

    public static uint Exited(int code) => ((uint)code & 0xFF) << 8;

    /// <summary>Ended by a signal, with or without a core file.</summary>
    public static uint Killed(int signal, bool isDumped = false) => ((uint)signal & StoppedMark) | (isDumped ? CoreDumped : 0);

    public static uint Stopped(int signal) => StoppedMark | (((uint)signal & 0xFF) << 8);

    public static bool IsExited(uint status) => (status & StoppedMark) == 0;

    public static bool IsStopped(uint status) => (status & 0xFF) == StoppedMark;

    /// <summary>Exit code of an ended process, or the signal of a stop.</summary>
    public static int Code(uint status) => (int)((status >> 8) & 0xFF);

    /// <summary>The signal that ended a process.</summary>
    public static int TerminatingSignal(uint status) => (int)(status & StoppedMark);

    /// <summary>True when the dump bit is set.</summary>
    public static bool HasCore(uint status) => (status & CoreDumped) != 0;
}
