// Where the entry stubs (Traps.S) arrive. From user mode: take the kernel lock, hand the event to whoever runs programs, deliver what is
// due, leave. From kernel mode only two things are expected: an interrupt during the idle loop's halt, and nothing else; a fault in kernel
// code is a broken invariant and panics, unless a test has announced it.

using System.Runtime;

namespace Lego.Kernel;

/// <summary>Dispatch of exceptions, interrupts and system calls.</summary>
public static unsafe class Traps
{
    public const int DivideError = 0;
    public const int Debug = 1;
    public const int Breakpoint = 3;
    public const int Overflow = 4;
    public const int InvalidOpcode = 6;
    public const int DoubleFault = 8;
    public const int StackFault = 12;
    public const int GeneralProtection = 13;
    public const int PageFault = 14;
    public const int FloatingPoint = 16;
    public const int AlignmentCheck = 17;
    public const int SimdFloatingPoint = 19;
    private const int FirstInterrupt = 32;

    /// <summary>The thread that runs a test's action; null once it has ended, by a fault or without one.</summary>
    private static Thread* s_expecting;
    private static delegate*<void*, void> s_action;
    private static int s_provokedVector;
    private static ulong s_provokedAddress;

    /// <summary>
    /// Runs an action on a thread of its own and reports the kernel fault that ends it: for tests of the kernel's own protection.
    /// False when the action returned without a fault.
    /// </summary>
    public static bool Provoke(delegate*<void*, void> action, void* argument, out int vector, out ulong address)
    {
        s_provokedVector = -1;
        s_provokedAddress = 0;
        s_action = action;
        s_expecting = Scheduler.Spawn(&RunProvoked, argument, "provoked"u8);
        while (s_expecting != null)
        {
            Scheduler.Yield();
        }

        vector = s_provokedVector;
        address = s_provokedAddress;
        return vector >= 0;
    }

    private static void RunProvoked(void* argument)
    {
        s_action(argument);
        s_expecting = null;
    }

    [RuntimeExport("TrapEntry")]
    private static void TrapEntry(UserContext* context, Thread* current)
    {
        int vector = (int)context->Vector;
        if (vector >= Interrupts.FirstKernelVector && vector != Interrupts.SpuriousVector)
        {
            // Before the lock: an interrupt in service holds back all of its class, so that a CPU that halts in KernelLock could not be
            // woken.
            LocalApic.EndOfInterrupt();
        }

        if (vector == Interrupts.FlushVector)
        {
            // The CPU that asks holds the kernel lock and waits: answer without it.
            Processors.FlushWhenWanted();
            return;
        }

        if (!context->IsFromUser)
        {
            if (vector < FirstInterrupt)
            {
                KernelFault(context, vector);
                return;
            }

            if (Cpu.Local->WaitsForLock != 0)
            {
                InterruptWithoutLock(vector);
                return;
            }

            KernelLock.Acquire();
            HandleInterrupt(vector);
            KernelLock.Release();
            return;
        }

        ulong faultAddress = vector == PageFault ? Cpu.ReadCr2() : 0;
        KernelLock.Acquire();
        bool isReady = false;
        if (vector == PageFault)
        {
            isReady = UserMode.Handler.OnPageFault(current, context, faultAddress, (PageFaultCode)context->ErrorCode);
        }
        else if (vector < FirstInterrupt)
        {
            UserMode.Handler.OnTrap(current, context, vector, context->ErrorCode);
        }
        else
        {
            HandleInterrupt(vector);
            Scheduler.PollAfterInterrupt();
        }

        UserMode.Leave(current, context, isReady);
        KernelLock.Release();
    }

    [RuntimeExport("SystemCallEntry")]
    private static void SystemCallEntry(UserContext* context, Thread* current)
    {
        KernelLock.Acquire();
        bool isReady = UserMode.Handler.OnSystemCall(current, context);
        UserMode.Leave(current, context, isReady);
        KernelLock.Release();
    }

    /// <summary>This CPU has halted in KernelLock: a wake-up has done its work by coming, and a timer is looked at later.</summary>
    private static void InterruptWithoutLock(int vector)
    {
        if (vector == Interrupts.TimerVector)
        {
            Scheduler.TimerFired();
        }
    }

    [NoBlock]
    [NoAllocation]
    private static void HandleInterrupt(int vector)
    {
        if (vector == Interrupts.TimerVector)
        {
            Scheduler.TimerFired();
        }

        Interrupts.Dispatch(vector);
    }

    private static void KernelFault(UserContext* context, int vector)
    {
        ulong address = vector == PageFault ? Cpu.ReadCr2() : context->Rip;
        if (s_expecting != null && Scheduler.Current == s_expecting)
        {
            s_expecting = null;
            s_provokedVector = vector;
            s_provokedAddress = address;
            Scheduler.Exit();
        }

        Panic.BecauseOfFault(context, vector, address);
    }
}
