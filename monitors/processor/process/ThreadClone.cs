// clone(2) with CLONE_THREAD: another thread of the caller's process. Memory, handlers, descriptors, directory and identity are the
// process's and so shared; the caller's mask and name are copied. BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Makes threads.</summary>
public static unsafe class ThreadClone
{
    /// <summary>
    /// Flags that a thread shares all of with its process here; CLONE_THREAD without any of them would be a thread with files of its own.
    /// </summary>
    public const CloneFlags Required = CloneFlags.Memory | CloneFlags.FileSystem | CloneFlags.Files | CloneFlags.SignalHandlers
        | CloneFlags.Thread;

    /// <summary>Flags that may stand beside them.</summary>
    public const CloneFlags Known = Required | CloneFlags.SystemVUndo | CloneFlags.SetThreadPointer | CloneFlags.ParentSetThreadId
        | CloneFlags.ChildClearThreadId | CloneFlags.ChildSetThreadId | CloneFlags.Detached | CloneFlags.Untraced | CloneFlags.InputOutput;

    /// <summary>Creates a thread of the caller's process. EAGAIN; EINTR: a signal comes first.</summary>
    public static Errno Start(UserThread* caller, in ForkOptions options, out uint id)
    {
        id = 0;
        Process* process = caller->Process;
        if (Signals.IsPending(caller))
        {
            return Errno.EINTR;
        }

        UserThread* thread = process->Table.MayFork(process) ? process->Table.CreateThread(process) : null;
        if (thread == null)
        {
            return Errno.EAGAIN;
        }

        // Until it runs it takes no part: it is on its way out, should anything be sent or asked meanwhile.
        thread->IsExiting = true;
        id = thread->Id;
        if (options.ParentThreadId != 0)
        {
            // Before the thread starts: it may look there, too.
            new UserPointer<uint>(options.ParentThreadId).Write(process, in id);
        }

        // What has come meanwhile for all threads was not for this one, which was none yet.
        Errno error = caller->Doomed || caller->JoinsStop ? Errno.EINTR : Errno.None;
        if (error == Errno.None)
        {
            ProcessFork.Inherit(caller, thread, options.Flags);
            error = ThreadStart.Begin(caller, thread, in options);
        }

        if (error != Errno.None)
        {
            process->Table.UserThreads.Retire(thread);
            process->Table.UserThreads.Free(thread);
            process->ThreadEnded.WakeAll();
            return error;
        }

        thread->IsExiting = false;
        return Errno.None;
    }
}
