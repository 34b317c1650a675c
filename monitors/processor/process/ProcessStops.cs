// Stopping and continuing a process (job control), and telling the parent about changes of state (wait(2), SIGCHLD).
// Only WaitWhileStopped blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Job control.</summary>
public static unsafe class ProcessStops
{
    /// <summary>Stops the current process because of a signal; returns when it has been continued or killed. BLOCKS.</summary>
    public static void StopCurrent(Process* process, int signal)
    {
        process->State = ProcessState.Stopped;
        process->WaitStatus = WaitStatus.Stopped(signal);
        process->StopUnreported = true;
        process->ContinueUnreported = false;
        NotifyParent(process, SignalCode.ChildStopped, signal);
        while (process->State == ProcessState.Stopped && !process->Thread->Doomed)
        {
            process->StopChanged.Wait();
        }

        process->State = ProcessState.Running;
    }

    /// <summary>SIGCONT or SIGKILL has been sent.</summary>
    public static void Resume(Process* process, int signal)
    {
        if (process->State != ProcessState.Stopped)
        {
            return;
        }

        process->State = ProcessState.Running;
        process->StopUnreported = false;
        process->StopChanged.WakeAll();
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
        if (signal == 0 || (isStop && ((*parent->Actions)[Signal.Child].Flags & SignalFlags.NoChildStop) != 0))
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

    /// <summary>Ended by a signal. This kernel writes no core files, so the dump bit stays clear.</summary>
    public static uint Killed(int signal) => (uint)signal & StoppedMark;

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
