// A kernel thread: a stack, a place in at most one queue, and what it waits for. Programs run on kernel threads too; those have a page
// table root, an owner (the processor monitor's thread) and a place where their extended state is kept while others run.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>Where a thread is in its life.</summary>
public enum ThreadState : uint
{
    Free = 0,
    Runnable,
    Running,
    Waiting,
}

/// <summary>One thread; lives in the scheduler's slab.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct Thread
{
    internal const int MaxNameBytes = 24;

    /// <summary>Saved stack pointer while it does not run.</summary>
    internal ulong StackPointer;

    /// <summary>End of the kernel stack; the user context lies right below while the program is in the kernel.</summary>
    public ulong StackTop;

    /// <summary>Physical address of the page table of the program that runs on this thread; 0 for kernel threads.</summary>
    public ulong PageTableRoot;

    /// <summary>The monitor's object for the program (processor monitor: Process).</summary>
    public void* Owner;

    /// <summary>
    /// Where x87, MXCSR and the vector registers of the program are while others run; null when there is no program to keep them for.
    /// </summary>
    public ExtendedStateArea* ExtendedState;

    /// <summary>What it runs, unless that is a function.</summary>
    internal ObjectPointer<ThreadBody> Body;

    /// <summary>The program's FS base.</summary>
    public ulong FsBase;

    /// <summary>Number, unique since boot.</summary>
    public uint Id;

    internal ThreadState State;
    internal Thread* Next;

    internal Thread* WaitNext;
    internal Thread* WaitPrevious;
    internal bool* WaitFlag;
    internal WaitQueue* WaitingIn;
    internal ulong DeadlineNs;
    internal bool TimedOut;
    internal WaitList* ListedIn;

    /// <summary>CPU time that it may still use before others have their turn; see Scheduler. Negative: it has used more.</summary>
    internal long CreditNs;
    /// <summary>Credit that it gets when its turn comes.</summary>
    internal long SliceNs;
    /// <summary>When it was given the CPU, or when it began to wait.</summary>
    internal ulong SinceNs;
    /// <summary>Real-time priority (sched(7)), 1 to 99; 0 = none.</summary>
    internal byte Priority;
    /// <summary>It was taken from the ordinary queue, so whoever is urgent goes first.</summary>
    internal bool IsOrdinary;
    /// <summary>
    /// How often it was given a CPU after another thread: what is true of a CPU while this stays the same has not been interrupted.
    /// </summary>
    public ulong Turns;
    /// <summary>CPUs that it may run on, a bit for each; 0 = all.</summary>
    internal ulong Cpus;
    /// <summary>The CPU that runs it, or ran it last.</summary>
    internal int CpuIndex;
    /// <summary>Time that it had run when it last gave the CPU up, nanoseconds.</summary>
    internal ulong RunTimeNs;
    /// <summary>While it runs: what the clock shows less the time that it has run.</summary>
    internal ulong RunOriginNs;

    internal fixed byte Name[MaxNameBytes];
    internal int NameLength;

    internal readonly bool MayRunOn(int cpu) => Cpus == 0 || ((Cpus >> cpu) & 1) != 0;
}
