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
        if (thread->Kernel != null && thread->Cpus != 0)
        {
            Scheduler.SetCpus(thread->Kernel, thread->Cpus);
        }

        if (thread->Process->Nice != 0 || thread->RealTimePriority != 0)
        {
            SchedulingPolicy.Apply(thread);
        }

        return thread->Kernel != null;
    }

    /// <summary>
    /// Lets a new thread begin where the caller, which is in a system call, continues: with the same registers but for the result, 0, and
    /// what the options say. EAGAIN.
    /// </summary>
    internal static Errno Begin(UserThread* caller, UserThread* thread, in ForkOptions options)
    {
        thread->Initial = *caller->User;
        thread->Initial.Rax = 0;
        if (options.StackPointer != 0)
        {
            thread->Initial.Rsp = options.StackPointer;
        }

        bool setsFsBase = (options.Flags & CloneFlags.SetThreadPointer) != 0;
        thread->InitialFsBase = setsFsBase ? options.FsBase : Scheduler.Current->FsBase;
        thread->ClearChildThreadId = options.ClearChildThreadId;
        thread->SetsThreadId = options.ChildThreadId;
        ExtendedState.Store(thread->ExtendedState.Area);
        return thread->Process->Table.Threads.Spawn(thread) ? Errno.None : Errno.EAGAIN;
    }

    public override void Run(void* argument)
    {
        UserThread* thread = (UserThread*)argument;
        Thread* kernel = Scheduler.Current;
        kernel->Owner = thread;
        kernel->ExtendedState = thread->ExtendedState.Area;
        // Set only now, by the thread itself: the scheduler tells service threads from programs by it.
        kernel->PageTableRoot = thread->Process->Space->PageTableRoot;
        PageTable.Activate(kernel->PageTableRoot);
        UserMode.SetFsBase(thread->InitialFsBase);
        ExtendedState.Load(kernel->ExtendedState);
        if (thread->SetsThreadId != 0)
        {
            new UserPointer<uint>(thread->SetsThreadId).Write(thread->Process, in thread->Id);
        }

        if (thread->RealTimePriority != 0)
        {
            // Behind its equals, so after who has made it.
            Scheduler.PassTurn();
        }

        UserContext* user = UserMode.ContextOf(kernel);
        *user = thread->Initial;
        thread->User = user;
        UserMode.Enter(user);
    }
}
