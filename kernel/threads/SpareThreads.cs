// Ended threads with their stacks: a few are kept for those that come next, because making a stack means to clear and map its frames; the
// others' frames go back. Those with the lowest stacks stay, so that after any crowd the same ones are left, and no page of records or
// page tables is kept for a straggler. Called with the kernel lock held.

namespace Lego.Kernel;

/// <summary>Where threads come from and go to.</summary>
internal static unsafe class SpareThreads
{
    private const int StackPages = 8;
    /// <summary>As many as the programs of a shell's pipelines that come and go together; 512 KB of stacks.</summary>
    private const int Most = 16;

    /// <summary>A thread of which only the stack is set; null when memory is exhausted.</summary>
    internal static Thread* Take()
    {
        Thread* thread = MachineThreads.SpareThreads;
        if (thread == null)
        {
            return Make();
        }

        MachineThreads.SpareThreads = thread->Next;
        MachineThreads.SpareThreadCount--;
        ulong top = thread->StackTop;
        *thread = default;
        thread->StackTop = top;
        return thread;
    }

    /// <summary>A thread ends. It may still run on its stack: one more than Most is kept until another one ends, or a CPU idles.</summary>
    internal static void Keep(Thread* thread)
    {
        Tidy();
        thread->Next = MachineThreads.SpareThreads;
        MachineThreads.SpareThreads = thread;
        MachineThreads.SpareThreadCount++;
    }

    /// <summary>Gives back what is not worth keeping. The running thread has not ended.</summary>
    [NoBlock]
    [NoAllocation]
    internal static void Tidy()
    {
        if (MachineThreads.SpareThreadCount > Most)
        {
            GiveBackHighest();
        }
    }

    private static void GiveBackHighest()
    {
        Thread* before = null;
        Thread* highest = MachineThreads.SpareThreads;
        for (Thread* thread = highest; thread->Next != null; thread = thread->Next)
        {
            if (thread->Next->StackTop > highest->StackTop)
            {
                before = thread;
                highest = thread->Next;
            }
        }

        if (before == null)
        {
            MachineThreads.SpareThreads = highest->Next;
        }
        else
        {
            before->Next = highest->Next;
        }

        MachineThreads.SpareThreadCount--;
        KernelStacks.Unmap(highest->StackTop, MachineThreads.Frames!);
        MachineThreads.Threads!.Free(highest);
    }

    private static Thread* Make()
    {
        Thread* thread = MachineThreads.Threads!.Allocate();
        if (thread == null)
        {
            return null;
        }

        thread->StackTop = KernelStacks.Map(MachineThreads.Frames!, StackPages);
        if (thread->StackTop == 0)
        {
            MachineThreads.Threads.Free(thread);
            return null;
        }

        return thread;
    }
}
