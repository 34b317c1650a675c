// The first steps of a user thread: a kernel thread is spawned for it, adopts the process's page table and enters user mode.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Starts user threads.</summary>
public sealed unsafe class ThreadStart : ThreadBody
{
    /// <summary>Gives a user thread a kernel thread, which starts with thread->Initial. False when memory is exhausted.</summary>
    public bool Spawn(UserThread* thread)
    {
        thread->Kernel = Scheduler.Spawn(this, thread, "program"u8);
        return thread->Kernel != null;
    }

    public override void Run(void* argument)
    {
        UserThread* thread = (UserThread*)argument;
        Thread* kernel = Scheduler.Current;
        kernel->Owner = thread;
        // Set only now, by the thread itself: the scheduler tells service threads from programs by it.
        kernel->PageTableRoot = thread->Process->Space->PageTableRoot;
        PageTable.Activate(kernel->PageTableRoot);
        UserMode.SetFsBase(thread->InitialFsBase);
        FloatingPoint.Restore(&thread->InitialVectors);
        if (thread->SetsThreadId != 0)
        {
            new UserPointer<uint>(thread->SetsThreadId).Write(thread->Process, in thread->Id);
        }

        UserContext* user = UserMode.ContextOf(kernel);
        *user = thread->Initial;
        thread->User = user;
        UserMode.Enter(user);
    }
}
