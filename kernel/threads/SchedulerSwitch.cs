// The other half of the scheduler: choosing the next thread, switching stacks and page tables, the idle loop, and what happens on the way
// back to user mode.

using System;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

public static unsafe partial class Scheduler
{
    /// <summary>Polls between two looks at clock and run queue: under emulation a look costs as much as several polls.</summary>
    private const int PollsPerLook = 16;

    /// <summary>Makes the scheduler usable on the boot CPU and queues the image's main function as the first thread.</summary>
    internal static void Initialize(FrameAllocator frames, delegate*<void*, void> main)
    {
        MachineThreads.Frames = frames;
        MachineThreads.Threads = new Slab<Thread>(frames);
        SpinBudget.Initialize();
        AdoptIdleThread();
        Spawn(main, null, "main"u8);
    }

    /// <summary>Makes the code that runs now on this CPU its idle thread.</summary>
    internal static void AdoptIdleThread()
    {
        Thread* idle = MachineThreads.Threads!.Allocate();
        idle->State = ThreadState.Running;
        idle->Id = ++MachineThreads.NextId;
        Cpu.Local->Idle = idle;
        Cpu.Local->Current = idle;
    }

    /// <summary>Runs whatever is runnable; polls, then halts when nothing is. Never returns.</summary>
    internal static void RunIdleLoop()
    {
        // Device interrupts come to the boot CPU, so it alone polls while idle; the others sleep until a thread is ready for them.
        bool polls = Cpu.Index == 0;
        ulong idleSince = Clock.NowNs();
        bool halted = false;
        while (true)
        {
            bool worked = false;
            for (int turn = 0; polls && !worked && turn < PollsPerLook; turn++)
            {
                worked = Poller.PollAll();
            }

            WakeDue();
            if (AnyRunnable)
            {
                MachineThreads.PolledInVain = false;
                Switch();
                idleSince = Clock.NowNs();
                continue;
            }

            if (worked)
            {
                // What ended a halt says nothing for polling.
                if (!halted)
                {
                    SpinBudget.Succeeded();
                }

                halted = false;
                MachineThreads.PolledInVain = false;
                idleSince = Clock.NowNs();
                continue;
            }

            ulong now = Clock.NowNs();
            if (polls && !MachineThreads.PolledInVain && now - idleSince < SpinBudget.Ns)
            {
                KernelLock.LetOthers();
                continue;
            }

            SpareThreads.Tidy();
            KernelStacks.Tidy(MachineThreads.Frames!);
            // Every CPU arms before it halts, not the polling one alone: that one may have halted long ago, and the thread that has just
            // blocked here has disarmed the sources to poll them itself.
            Poller.Arm();
            if (!Poller.PollAll() && !MachineThreads.Notified)
            {
                Halt();
                if (polls)
                {
                    halted = true;
                    SpinBudget.Halted(Clock.NowNs() - now);
                }
            }

            if (polls)
            {
                Poller.Disarm();
            }

            MachineThreads.PolledInVain = false;
            idleSince = Clock.NowNs();
        }
    }

    /// <summary>The one-shot timer has fired: deadlines and the time slice are looked at before user mode continues.</summary>
    [NoBlock]
    [NoAllocation]
    internal static void TimerFired()
    {
        Processors.TimerDisarmed();
        MachineThreads.TimerFired = true;
    }

    /// <summary>
    /// A device has interrupted a program: what it has brought is handled now, not when the program next enters the kernel. The sources are
    /// armed again on the way back.
    /// </summary>
    [NoBlock]
    internal static void PollAfterInterrupt()
    {
        Poller.Disarm();
        Poller.PollAll();
    }

    /// <summary>
    /// On the way to user mode: threads that wait for the CPU and go before this one; blocks. True: others may have run meanwhile.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool BeforeUserMode(Thread* current)
    {
        bool gaveWay = false;
        // The timer fires at the next deadline and at the end of a time slice, so that the clock need not be read each time.
        while (MachineThreads.Notified || MachineThreads.TimerFired || IsOutranked(current) || IsMisplaced(current))
        {
            gaveWay |= GiveWay(current);
        }

        return gaveWay;
    }

    /// <summary>
    /// Kernel threads go before programs, those that were woken before those that compute, and a higher real-time priority before a lower
    /// one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsOutranked(Thread* current) =>
        !MachineThreads.KernelThreads.IsEmpty
        || (!MachineThreads.Woken.IsEmpty && MachineThreads.Woken.HasFor(current->CpuIndex, LeastToOutrank(current)));

    /// <summary>Priority of who goes before the running thread: it has more, or the thread computes.</summary>
    private static byte LeastToOutrank(Thread* current) => current->IsOrdinary ? (byte)0 : (byte)(current->Priority + 1);

    /// <summary>The running thread may not run on this CPU any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsMisplaced(Thread* current) => current->Cpus != 0 && !current->MayRunOn(current->CpuIndex);

    /// <summary>Looks at what is due, and lets those run who go first: true then.</summary>
    private static bool GiveWay(Thread* current)
    {
        WakeDue();
        if (IsMisplaced(current))
        {
            EnqueueAfterTurn(current);
            Processors.WakeOneOf(current->Cpus);
            Switch();
            return true;
        }

        bool isSliceOver = false;
        if (MachineThreads.TimerFired)
        {
            MachineThreads.TimerFired = false;
            isSliceOver = Clock.NowNs() - current->SinceNs >= (ulong)Math.Max(current->CreditNs, 0);
        }

        if (isSliceOver && AnyRunnable)
        {
            EnqueueAfterTurn(current);
        }
        else if (IsOutranked(current))
        {
            // Its turn is not over: it goes on before its equals.
            current->State = ThreadState.Runnable;
            if (current->IsOrdinary)
            {
                MachineThreads.Ordinary.Prepend(current);
            }
            else
            {
                MachineThreads.Woken.Insert(current, beforeEquals: true);
            }
        }
        else
        {
            return false;
        }

        Switch();
        return true;
    }

    /// <summary>
    /// The last step before user mode: from here on interrupts announce new work. False when there was some already, which may concern this
    /// program or others that go first: the caller begins again.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool ArmForUserMode(Thread* current)
    {
        if (!Poller.IsArmed && ArmPoller())
        {
            return false;
        }

        ulong deadline = MachineThreads.NextDeadlineNs;
        if (AnyRunnable)
        {
            deadline = Math.Min(deadline, current->SinceNs + (ulong)Math.Max(current->CreditNs, 0));
        }

        Processors.ArmTimer(current->CpuIndex, deadline);
        return true;
    }

    /// <summary>True when something had arrived before the sources were armed.</summary>
    private static bool ArmPoller()
    {
        Poller.Arm();
        return Poller.PollAll();
    }

    private static void Halt()
    {
        Processors.ArmTimer(Cpu.Index, MachineThreads.NextDeadlineNs);
        Cpu.Local->Halted = 1;
        KernelLock.Release();
        Cpu.HaltWithInterrupts();
        KernelLock.Acquire();
        Cpu.Local->Halted = 0;
    }

    /// <summary>Runs the next runnable thread, or the idle thread. Returns when the current thread is chosen again.</summary>
    private static void Switch()
    {
        CpuLocal* cpu = Cpu.Local;
        Thread* current = cpu->Current;
        ulong now = Clock.NowNs();
        current->CreditNs -= (long)(now - current->SinceNs);
        current->RunTimeNs += now - current->SinceNs;
        current->SinceNs = now;
        Thread* next = TakeNext();
        if (next == null)
        {
            next = cpu->Idle;
        }

        next->SinceNs = now;
        next->RunOriginNs = now - next->RunTimeNs;
        next->State = ThreadState.Running;
        next->CpuIndex = cpu->Index;
        if (next == current)
        {
            return;
        }

        next->Turns++;
        MachineThreads.Switches++;
        // x87, MXCSR and the vector registers that kernel code leaves alone belong to programs only.
        if (current->ExtendedState != null)
        {
            ExtendedState.Store(current->ExtendedState);
        }

        if (next->PageTableRoot != 0)
        {
            PageTable.Activate(next->PageTableRoot);
            ExtendedState.Load(next->ExtendedState);
            Cpu.WriteMsr(Cpu.FsBaseMsr, next->FsBase);
        }
        else if (Processors.Count > 1)
        {
            // A program's tables may be freed while this CPU idles. One CPU alone keeps them loaded: PageTable.Free looks at it.
            PageTable.Activate(PageTable.KernelRoot);
        }

        cpu->Current = next;
        cpu->KernelStackTop = next->StackTop;
        cpu->Tables.SetKernelStack(next->StackTop);
        Cpu.SwitchStacks(&current->StackPointer, next->StackPointer);
    }

    [RuntimeExport("ThreadReturned")]
    private static void ThreadReturned() => Exit();
}
