// Threads of one machine. Kernel code is never preempted; a thread gives the CPU up where it waits, and programs are switched on their way
// to user mode. Waiting is adaptive: a thread first polls for a few microseconds (a page arrives sooner than a halted CPU would wake up),
// then lets others run; with nobody runnable the idle loop polls on, then arms wake-ups and halts.
//
// Who runs next, each kind in order of arrival (RunQueue.cs):
//   1. kernel threads;
//   2. programs with a real-time priority, the highest first (SetPriority); they stand in the queue of the next ones, before those;
//   3. programs that were woken with credit left: a reply, a signal or input has come for them;
//   4. programs that have used their credit up, so whoever computes ("ordinary").
// Credit is CPU time: a slice when a program is taken from the ordinary queue, and a quarter of the time that it waits, up to a slice. The
// length of its slices is a program's share among those that compute (SetSlice). So a program that mostly waits runs as soon as it is
// woken, before one that computes, and one that only pretends to wait (two that wake each other in turn) ends up in the ordinary queue,
// where everybody gets a slice in turn. A program that has credit is not put aside for another one: a pipe's writer fills the pipe before
// the reader runs.
//
// All functions are called with the kernel lock held. Functions that may let other threads run say "blocks".

using System;
using System.Runtime.CompilerServices;
using System.Threading;

namespace Lego.Kernel;

/// <summary>Creates, blocks, wakes and switches threads.</summary>
public static unsafe partial class Scheduler
{
    /// <summary>The slice of a program that has asked for nothing else.</summary>
    public const long TimeSliceNs = 4_000_000;
    /// <summary>The slice of a real-time program that runs until it waits.</summary>
    public const long RealTimeForever = long.MaxValue / 4;
    /// <summary>Of the time that a program waits, one part in so many becomes credit.</summary>
    private const ulong WaitPerCredit = 4;
    /// <summary>
    /// How long a wait polls while a computing program wants the CPU: an answer over the ring comes sooner than two switches take.
    /// </summary>
    private const ulong ShortSpinNs = 20_000;

    /// <summary>The running thread.</summary>
    public static Thread* Current => Cpu.Local->Current;

    /// <summary>Thread switches since boot.</summary>
    public static ulong Switches => MachineThreads.Switches;

    /// <summary>Time that the running thread, <paramref name="current"/>, has run so far, nanoseconds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong RunningTimeOf(Thread* current) => Clock.NowNs() - current->RunOriginNs;

    /// <summary>Time that a thread has run so far, nanoseconds.</summary>
    public static ulong RunTimeOf(Thread* thread) =>
        thread->State == ThreadState.Running ? Clock.NowNs() - thread->RunOriginNs : thread->RunTimeNs;

    /// <summary>True when a thread runs or could.</summary>
    public static bool IsRunnable(Thread* thread) => thread->State is ThreadState.Runnable or ThreadState.Running;

    /// <summary>Makes a runnable thread; null when memory is exhausted.</summary>
    public static Thread* Spawn(delegate*<void*, void> entry, void* argument, ReadOnlySpan<byte> name)
    {
        Thread* thread = SpareThreads.Take();
        if (thread == null)
        {
            return null;
        }

        thread->Id = ++MachineThreads.NextId;
        thread->SliceNs = TimeSliceNs;
        thread->CreditNs = CreditOfNewThread();
        thread->NameLength = Math.Min(name.Length, Thread.MaxNameBytes);
        for (int index = 0; index < thread->NameLength; index++)
        {
            thread->Name[index] = name[index];
        }

        // What SwitchStacks pops: r15 r14 r13 r12 rbx rbp, then the address to return to. A program's user context lies above.
        ulong* stack = (ulong*)(thread->StackTop - (ulong)sizeof(UserContext)) - 7;
        stack[0] = stack[1] = stack[2] = 0;
        stack[3] = (ulong)argument;
        stack[4] = (ulong)entry;
        stack[5] = 0;
        stack[6] = Cpu.ThreadStartAddress();
        thread->StackPointer = (ulong)stack;
        MakeRunnable(thread);
        return thread;
    }

    /// <summary>Makes a runnable thread that runs a body; null when memory is exhausted.</summary>
    public static Thread* Spawn(ThreadBody body, void* argument, ReadOnlySpan<byte> name)
    {
        // The kernel lock is held: the thread cannot run before it knows its body.
        Thread* thread = Spawn(&RunBody, argument, name);
        if (thread != null)
        {
            thread->Body = new ObjectPointer<ThreadBody>(body);
        }

        return thread;
    }

    private static void RunBody(void* argument) => Current->Body.Target.Run(argument);

    /// <summary>
    /// What a program starts, it shares its credit with, so that nobody gains by starting others; a kernel thread gives a slice.
    /// </summary>
    private static long CreditOfNewThread()
    {
        Thread* current = Current;
        if (current->PageTableRoot == 0)
        {
            return TimeSliceNs;
        }

        current->CreditNs /= 2;
        return current->CreditNs;
    }

    /// <summary>Ends the current thread. Its owner has released everything but the thread itself.</summary>
    public static void Exit()
    {
        Thread* thread = Current;
        thread->State = ThreadState.Free;
        thread->PageTableRoot = 0;
        thread->Owner = null;
        thread->ExtendedState = null;
        // The stack stays in use until the switch below is done; nobody can take it before, because the kernel lock is held.
        SpareThreads.Keep(thread);
        Switch();
    }

    /// <summary>Lets all other runnable threads run, and other CPUs enter the kernel; blocks.</summary>
    [Blocks]
    public static void Yield()
    {
        KernelLock.LetOthers();
        Poller.PollAll();
        PassTurn();
    }

    /// <summary>
    /// Lets all other runnable threads run; blocks. For a program that returns to user mode at once: what arrives interrupts it there, so
    /// nothing is polled, which would cost as much as the switch (every page touched after one is a walk of the page tables).
    /// </summary>
    [Blocks]
    public static void PassTurn()
    {
        WakeDue();
        if (AnyRunnable)
        {
            Thread* thread = Current;
            if (thread->PageTableRoot == 0)
            {
                Enqueue(ref MachineThreads.KernelThreads, thread);
            }
            else
            {
                EnqueueAfterTurn(thread);
            }

            Switch();
        }
    }

    /// <summary>
    /// Something is due for a program before it goes on (a signal): if it runs on another CPU, that one enters the kernel now. A waiting
    /// thread is not woken by this.
    /// </summary>
    [NoBlock]
    public static void Interrupt(Thread* thread)
    {
        if (thread->State == ThreadState.Running && thread->CpuIndex != Cpu.Index)
        {
            Processors.Interrupt(thread->CpuIndex);
        }
    }

    /// <summary>
    /// Says on which CPUs a program may run, a bit for each (0 = all); it leaves another one at its next return to user mode, which is
    /// soon.
    /// </summary>
    [NoBlock]
    public static void SetCpus(Thread* thread, ulong cpus)
    {
        thread->Cpus = cpus;
        if (thread->State == ThreadState.Runnable)
        {
            WakeCpuFor(thread);
        }
        else if (!thread->MayRunOn(thread->CpuIndex))
        {
            Interrupt(thread);
        }
    }

    /// <summary>Says how long a program computes before others have their turn, from its next slice on.</summary>
    [NoBlock]
    public static void SetSlice(Thread* thread, long nanoseconds)
    {
        thread->SliceNs = nanoseconds;
        thread->CreditNs = Math.Min(thread->CreditNs, nanoseconds);
    }

    /// <summary>
    /// Gives a program a real-time priority, 1 to 99, and the time that it runs before its equals have their turn (RealTimeForever: until
    /// it waits); or, with priority 0, makes it one like the others again.
    /// </summary>
    [NoBlock]
    public static void SetPriority(Thread* thread, byte priority, long sliceNs)
    {
        bool isQueued = thread->State == ThreadState.Runnable
            && (MachineThreads.Woken.Remove(thread) || MachineThreads.Ordinary.Remove(thread));
        thread->Priority = priority;
        thread->SliceNs = sliceNs;
        thread->CreditNs = priority != 0 ? sliceNs : Math.Min(thread->CreditNs, sliceNs);
        thread->IsOrdinary = priority == 0;
        if (isQueued)
        {
            EnqueueAfterTurn(thread);
            WakeCpuFor(thread);
        }
        else
        {
            Interrupt(thread);
        }
    }

    /// <summary>Waits for a time; blocks.</summary>
    [Blocks]
    public static void Sleep(ulong nanoseconds)
    {
        Current->WaitFlag = null;
        BlockUntil(Clock.NowNs() + nanoseconds);
    }

    /// <summary>
    /// Waits until a poll source sets the flag (true) or the time has come (false). Polls briefly, then blocks. Whoever sets a flag calls
    /// <see cref="Notify"/>.
    /// </summary>
    [Blocks]
    public static bool WaitUntil(ref bool flag, ulong deadlineNs)
    {
        if (Volatile.Read(ref flag))
        {
            return true;
        }

        Poller.Disarm();
        ulong start = 0;
        while (true)
        {
            Poller.PollAll();
            if (Volatile.Read(ref flag))
            {
                SpinBudget.Succeeded();
                return true;
            }
            // What the first poll brings costs no look at the clock.
            ulong now = Clock.NowNs();
            start = start == 0 ? now : start;
            if (now >= deadlineNs)
            {
                return false;
            }

            if (!MachineThreads.KernelThreads.IsEmpty || MachineThreads.Woken.HasFor(Cpu.Index)
                || (MachineThreads.Ordinary.HasFor(Cpu.Index) && now - start > ShortSpinNs))
            {
                break;
            }

            if (now - start > SpinBudget.Ns)
            {
                MachineThreads.PolledInVain = true;
                break;
            }

            KernelLock.LetOthers();
        }

        fixed (bool* address = &flag)
        {
            Current->WaitFlag = address;
            BlockUntil(deadlineNs);
            return *address;
        }
    }

    /// <summary>Says that a flag some thread waits for has been set.</summary>
    public static void Notify() => MachineThreads.Notified = true;

    /// <summary>A thread wants a CPU and may have this one.</summary>
    private static bool AnyRunnable
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => !MachineThreads.KernelThreads.IsEmpty || (!MachineThreads.Woken.IsEmpty && MachineThreads.Woken.HasFor(Cpu.Index)) ||
            (!MachineThreads.Ordinary.IsEmpty && MachineThreads.Ordinary.HasFor(Cpu.Index));
    }

    /// <summary>Blocks until woken (true) or until the deadline (false).</summary>
    [Blocks]
    internal static bool BlockUntil(ulong deadlineNs)
    {
        Thread* thread = Current;
        thread->State = ThreadState.Waiting;
        thread->TimedOut = false;
        thread->DeadlineNs = deadlineNs;
        if (thread->WaitFlag != null)
        {
            MachineThreads.FlagWaiters.Add(thread);
        }
        else if (deadlineNs != ulong.MaxValue)
        {
            MachineThreads.Sleepers.Add(thread);
        }

        MachineThreads.NextDeadlineNs = Math.Min(MachineThreads.NextDeadlineNs, deadlineNs);
        Switch();
        return !thread->TimedOut;
    }

    /// <summary>Ends a thread's wait, or starts a new thread: it runs before those that compute, if it has credit.</summary>
    [NoBlock]
    [NoAllocation]
    internal static void MakeRunnable(Thread* thread)
    {
        WaitList.Remove(thread);
        thread->WaitFlag = null;
        bool isProgram = thread->PageTableRoot != 0;
        if (isProgram && thread->State == ThreadState.Waiting)
        {
            long earnedNs = (long)((Clock.NowNs() - thread->SinceNs) / WaitPerCredit);
            thread->CreditNs = Math.Min(thread->CreditNs + earnedNs, thread->SliceNs);
        }

        if (!isProgram)
        {
            Enqueue(ref MachineThreads.KernelThreads, thread);
        }
        else if (thread->Priority != 0)
        {
            EnqueueAfterTurn(thread);
        }
        else
        {
            Enqueue(ref thread->CreditNs > 0 ? ref MachineThreads.Woken : ref MachineThreads.Ordinary, thread);
        }

        WakeCpuFor(thread);
    }

    private static void WakeCpuFor(Thread* thread)
    {
        if (thread->Cpus == 0)
        {
            Processors.WakeAnIdleOne();
        }
        else
        {
            Processors.WakeOneOf(thread->Cpus);
        }
    }

    private static void Enqueue(ref RunQueue queue, Thread* thread)
    {
        thread->State = ThreadState.Runnable;
        queue.Append(thread);
    }

    /// <summary>A program wants to run again, behind its equals.</summary>
    private static void EnqueueAfterTurn(Thread* thread)
    {
        if (thread->Priority == 0)
        {
            Enqueue(ref MachineThreads.Ordinary, thread);
            return;
        }

        thread->State = ThreadState.Runnable;
        MachineThreads.Woken.Insert(thread, beforeEquals: false);
    }

    /// <summary>Takes the thread that runs next; null when nobody wants to.</summary>
    private static Thread* TakeNext()
    {
        Thread* next = MachineThreads.KernelThreads.Take();
        if (next == null)
        {
            next = MachineThreads.Woken.TakeFor(Cpu.Index);
        }

        if (next != null)
        {
            next->IsOrdinary = false;
            if (next->Priority != 0 && next->CreditNs <= 0)
            {
                next->CreditNs = next->SliceNs;
            }

            return next;
        }

        next = MachineThreads.Ordinary.TakeFor(Cpu.Index);
        if (next != null)
        {
            next->IsOrdinary = true;
            if (next->CreditNs <= 0)
            {
                next->CreditNs = next->SliceNs;
            }
        }

        return next;
    }

    /// <summary>Wakes threads whose flag is set or whose time has come.</summary>
    private static void WakeDue()
    {
        ulong now = MachineThreads.NextDeadlineNs == ulong.MaxValue ? 0 : Clock.NowNs();
        bool isTime = now >= MachineThreads.NextDeadlineNs;
        if (isTime)
        {
            MachineThreads.NextDeadlineNs = ulong.MaxValue;
        }

        if (MachineThreads.Notified || isTime)
        {
            MachineThreads.Notified = false;
            WakeDue(MachineThreads.FlagWaiters.First, now);
        }

        if (isTime)
        {
            WakeDue(MachineThreads.Sleepers.First, now);
        }
    }

    private static void WakeDue(Thread* first, ulong now)
    {
        Thread* next;
        for (Thread* thread = first; thread != null; thread = next)
        {
            next = thread->WaitNext;
            if (thread->WaitFlag != null && *thread->WaitFlag)
            {
                MakeRunnable(thread);
            }
            else if (thread->DeadlineNs <= now)
            {
                thread->TimedOut = true;
                if (thread->WaitingIn != null)
                {
                    thread->WaitingIn->Remove(thread);
                }

                MakeRunnable(thread);
            }
            else
            {
                MachineThreads.NextDeadlineNs = Math.Min(MachineThreads.NextDeadlineNs, thread->DeadlineNs);
            }
        }
    }
}
