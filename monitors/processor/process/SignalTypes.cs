// The data of signals: what a signal carries (a part of siginfo_t), queues of pending ones, and a process's table of actions.
// Numbers and layouts: signal(7), sigaction(2), include/uapi/asm-generic/siginfo.h.

using System.Runtime.CompilerServices;

namespace Lego.Processor;

/// <summary>Signal numbers of x86-64 Linux.</summary>
public static class Signal
{
    public const int Hangup = 1;
    public const int Interrupt = 2;
    public const int Quit = 3;
    public const int IllegalInstruction = 4;
    public const int Trap = 5;
    public const int Abort = 6;
    public const int BusError = 7;
    public const int FloatingPoint = 8;
    public const int Kill = 9;
    public const int User1 = 10;
    public const int SegmentationFault = 11;
    public const int User2 = 12;
    public const int Pipe = 13;
    public const int Alarm = 14;
    public const int Terminate = 15;
    public const int StackFault = 16;
    public const int Child = 17;
    public const int Continue = 18;
    public const int Stop = 19;
    public const int TerminalStop = 20;
    public const int TerminalInput = 21;
    public const int TerminalOutput = 22;
    public const int Urgent = 23;
    public const int CpuTime = 24;
    public const int FileSize = 25;
    public const int VirtualAlarm = 26;
    public const int Profile = 27;
    public const int WindowChange = 28;
    public const int Poll = 29;
    public const int Power = 30;
    public const int BadSystemCall = 31;
    /// <summary>First of the queued (real-time) signals.</summary>
    public const int FirstRealTime = 32;
    public const int Count = 64;

    /// <summary>The bit of a signal in a 64-bit mask.</summary>
    public static ulong Bit(int signal) => 1UL << (signal - 1);
}

/// <summary>si_code values that this kernel sends (sigaction(2)).</summary>
public static class SignalCode
{
    public const int User = 0;
    public const int Kernel = 0x80;
    public const int Queue = -1;
    public const int Timer = -2;
    public const int InputOutput = -5;
    public const int Thread = -6;
    public const int ChildExited = 1;
    public const int ChildKilled = 2;
    public const int ChildDumped = 3;
    public const int ChildStopped = 5;
    public const int ChildContinued = 6;
    public const int SegmentNotMapped = 1;
    public const int SegmentAccess = 2;
    public const int BusAddress = 2;
    public const int BusObject = 3;
    public const int IllegalOpcode = 2;
    public const int IntegerDivide = 1;
    public const int FloatInvalid = 7;
    public const int TrapBreakpoint = 1;
    public const int TrapTrace = 2;
    public const int SystemCallFiltered = 1;
}

/// <summary>What one sent signal carries; the used fields of siginfo_t depend on the code.</summary>
public struct SignalInfo
{
    public int Number;
    public int Code;
    public int Error;
    /// <summary>
    /// Sender or child (si_pid, si_uid); of a timer's signal its id and the expiries that were missed (si_timerid, si_overrun).
    /// </summary>
    public uint ProcessId;
    public uint UserId;
    /// <summary>Exit status or stopping signal of a child (si_status); number of a system call that was refused (si_syscall).</summary>
    public int Status;
    /// <summary>Faulting address (si_addr) or the value of sigqueue (si_value).</summary>
    public ulong Value;

    /// <summary>A signal that the kernel sends on its own behalf (SI_KERNEL).</summary>
    public static SignalInfo FromKernel(int number) => new() { Number = number, Code = SignalCode.Kernel };
}

/// <summary>A sent signal that waits for delivery; in a slab, linked by SignalQueue.</summary>
public unsafe struct PendingSignal
{
    public SignalInfo Info;
    public PendingSignal* Next;
}

/// <summary>
/// Signals waiting for delivery: a bit per number, and details of those for which memory was found. Zero-initialised = empty.
/// </summary>
public unsafe struct SignalQueue
{
    /// <summary>Bit n-1: at least one signal n waits.</summary>
    public ulong Mask;
    /// <summary>Oldest first.</summary>
    public PendingSignal* First;
    public PendingSignal* Last;
    /// <summary>Signals between First and Last.</summary>
    public ulong Count;
}

/// <summary>What to do on one signal, as rt_sigaction(2) passes it (struct kernel_sigaction).</summary>
public struct SignalAction
{
    public const ulong Default = 0;
    public const ulong Ignore = 1;

    /// <summary>SIG_DFL, SIG_IGN or the handler's address.</summary>
    public ulong Handler;
    public ulong Flags;
    public ulong Restorer;
    public ulong Mask;
}

/// <summary>The actions of all signals; in a slab, shared by processes that were cloned with CLONE_SIGHAND.</summary>
public unsafe struct SignalActions
{
    /// <summary>Processes that use it.</summary>
    public uint References;
    private Table _actions;

    /// <summary>The action of a signal, 1 to 64.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref SignalAction this[int signal] => ref _actions[signal - 1];

    /// <summary>Takes the actions of another table over.</summary>
    public void CopyFrom(SignalActions* other) => _actions = other->_actions;

    /// <summary>What execve does: handlers are gone with their program, ignored signals stay ignored.</summary>
    public void ForgetHandlers()
    {
        for (int signal = 1; signal <= Signal.Count; signal++)
        {
            ref SignalAction action = ref this[signal];
            ulong handler = action.Handler == SignalAction.Ignore ? SignalAction.Ignore : SignalAction.Default;
            action = new SignalAction { Handler = handler };
        }
    }

    [InlineArray(Signal.Count)]
    private struct Table
    {
        private SignalAction _first;
    }
}

/// <summary>sa_flags and ss_flags (sigaction(2), sigaltstack(2)).</summary>
public static class SignalFlags
{
    public const ulong NoChildStop = 0x1;
    public const ulong NoChildWait = 0x2;
    public const ulong Information = 0x4;
    public const ulong Restorer = 0x0400_0000;
    public const ulong OnStack = 0x0800_0000;
    public const ulong Restart = 0x1000_0000;
    public const ulong NoDefer = 0x4000_0000;
    public const ulong ResetHandler = 0x8000_0000;
    /// <summary>ss_flags: the thread runs on the alternate stack.</summary>
    public const uint StackInUse = 1;
    /// <summary>ss_flags: there is no alternate stack.</summary>
    public const uint StackDisabled = 2;
    /// <summary>ss_flags: disarm when a handler starts (SS_AUTODISARM).</summary>
    public const uint StackAutoDisarm = 0x8000_0000;
}
