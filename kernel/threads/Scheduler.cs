// Threads of one machine. Kernel code is never preempted; a thread gives the CPU up where it waits, and programs are switched at the timer
// when others are runnable. Waiting is adaptive: a thread first polls for a few microseconds (a page arrives sooner than a halted CPU would
// wake up), then lets others run; with nobody runnable the idle loop polls on, then arms wake-ups and halts.
// All functions are called with the kernel lock held. Functions that may let other threads run say "blocks".

using System;
using System.Threading;

namespace Lego.Kernel;

/// <summary>Creates, blocks, wakes and switches threads.</summary>
public static unsafe partial class Scheduler
{
    private const int StackPages = 8;
    private const ulong TimeSliceNs = 10_000_000;

    private static FrameAllocator? s_frames;
    private static Slab<Thread>? s_threads;
    private static Thread* s_freeThreads;
    private static Thread* s_firstRunnable;
    private static Thread* s_lastRunnable;
    private static Thread* s_firstWaiting;
    private static uint s_runnableKernelThreads;
    private static uint s_nextId;
    private static ulong s_nextDeadlineNs = ulong.MaxValue;
    private static bool s_notified;
    private static ulong s_switches;

    /// <summary>The running thread.</summary>
    public static Thread* Current => Cpu.Local->Current;

    /// <summary>Thread switches since boot.</summary>
    public static ulong Switches => s_switches;

    /// <summary>Makes a runnable thread; null when memory is exhausted.</summary>
    public static Thread* Spawn(delegate*<void*, void> entry, void* argument, ReadOnlySpan<byte> name)
    {
        Thread* thread = s_freeThreads;
        if (thread != null)
        {
            s_freeThreads = thread->Next;
            ulong top = thread->StackTop;
            *thread = default;
            thread->StackTop = top;
        }
        else
        {
            thread = s_threads!.Allocate();
            if (thread == null)
            {
                return null;
            }
            thread->StackTop = KernelMap.MapStack(s_frames!, StackPages);
            if (thread->StackTop == 0)
            {
                s_threads.Free(thread);
                return null;
            }
        }
        thread->Id = ++s_nextId;
        thread->NameLength = Math.Min(name.Length, Thread.MaxNameBytes);
        for (int index = 0; index < thread->NameLength; index++)
        {
            thread->Name[index] = name[index];
        }
        Cpu.SaveFloatingPoint(thread->FloatingPoint);

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

    /// <summary>Ends the current thread. Its owner has released everything but the thread itself.</summary>
    public static void Exit()
    {
        Thread* thread = Current;
        thread->State = ThreadState.Free;
        thread->PageTableRoot = 0;
        thread->Owner = null;
        // The stack stays in use until the switch below is done; nobody can take it before, because the kernel lock is held.
        thread->Next = s_freeThreads;
        s_freeThreads = thread;
        Switch();
    }

    /// <summary>False once the thread has ended (its number is not reused).</summary>
    public static bool IsAlive(Thread* thread) => thread->State != ThreadState.Free;

    /// <summary>Lets other runnable threads run, and other CPUs enter the kernel; blocks.</summary>
    public static void Yield()
    {
        KernelLock.LetOthers();
        Poller.PollAll();
        WakeDue();
        if (s_firstRunnable != null)
        {
            MakeRunnable(Current);
            Switch();
        }
    }

    /// <summary>Waits for a time; blocks.</summary>
    public static void Sleep(ulong nanoseconds)
    {
        Current->WaitFlag = null;
        BlockUntil(Clock.NowNs() + nanoseconds);
    }

    /// <summary>
    /// Waits until a poll source sets the flag (true) or the time has come (false). Polls briefly, then blocks. Whoever sets a flag calls
    /// <see cref="Notify"/>.
    /// </summary>
    public static bool WaitUntil(ref bool flag, ulong deadlineNs)
    {
        if (Volatile.Read(ref flag))
        {
            return true;
        }
        Poller.Disarm();
        ulong start = Clock.NowNs();
        while (true)
        {
            Poller.PollAll();
            if (Volatile.Read(ref flag))
            {
                SpinBudget.Succeeded();
                return true;
            }
            ulong now = Clock.NowNs();
            if (now >= deadlineNs)
            {
                return false;
            }
            if (s_firstRunnable != null)
            {
                break;
            }
            if (now - start > SpinBudget.Ns)
            {
                s_polledInVain = true;
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
    public static void Notify() => s_notified = true;

    /// <summary>Blocks until woken (true) or until the deadline (false).</summary>
    internal static bool BlockUntil(ulong deadlineNs)
    {
        Thread* thread = Current;
        thread->State = ThreadState.Waiting;
        thread->TimedOut = false;
        thread->DeadlineNs = deadlineNs;
        if (deadlineNs != ulong.MaxValue || thread->WaitFlag != null)
        {
            AddWaiting(thread);
            s_nextDeadlineNs = Math.Min(s_nextDeadlineNs, deadlineNs);
        }
        Switch();
        return !thread->TimedOut;
    }

    /// <summary>Puts a thread at the end of the run queue.</summary>
    internal static void MakeRunnable(Thread* thread)
    {
        RemoveWaiting(thread);
        thread->WaitFlag = null;
        thread->State = ThreadState.Runnable;
        thread->Next = null;
        if (s_lastRunnable == null)
        {
            s_firstRunnable = thread;
        }
        else
        {
            s_lastRunnable->Next = thread;
        }
        s_lastRunnable = thread;
        if (thread->PageTableRoot == 0)
        {
            s_runnableKernelThreads++;
        }
        Processors.WakeAnIdleOne();
    }

    /// <summary>Wakes threads whose flag is set or whose time has come.</summary>
    private static void WakeDue()
    {
        ulong now = s_nextDeadlineNs == ulong.MaxValue ? 0 : Clock.NowNs();
        if (!s_notified && now < s_nextDeadlineNs)
        {
            return;
        }
        s_notified = false;
        s_nextDeadlineNs = ulong.MaxValue;
        Thread* next;
        for (Thread* thread = s_firstWaiting; thread != null; thread = next)
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
                s_nextDeadlineNs = Math.Min(s_nextDeadlineNs, thread->DeadlineNs);
            }
        }
    }

    private static void AddWaiting(Thread* thread)
    {
        thread->IsListed = true;
        thread->WaitPrevious = null;
        thread->WaitNext = s_firstWaiting;
        if (s_firstWaiting != null)
        {
            s_firstWaiting->WaitPrevious = thread;
        }
        s_firstWaiting = thread;
    }

    private static void RemoveWaiting(Thread* thread)
    {
        if (!thread->IsListed)
        {
            return;
        }
        thread->IsListed = false;
        if (thread->WaitPrevious == null)
        {
            s_firstWaiting = thread->WaitNext;
        }
        else
        {
            thread->WaitPrevious->WaitNext = thread->WaitNext;
        }
        if (thread->WaitNext != null)
        {
            thread->WaitNext->WaitPrevious = thread->WaitPrevious;
        }
    }
}
