// One system call in progress: number and arguments as the program gave them (syscall(2): rdi, rsi, rdx, r10, r8, r9), who called, and
// the saved registers for the few calls that change them. Handlers are `static long Name(ref SystemCall call)`, one class per family,
// marked with SystemCallAttribute and listed in SystemCallTable's switch. They return the result or -(long)errno; -EINTR is restarted by
// the dispatcher where signal(7) says so. Handlers may block.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Arguments and surroundings of a system call.</summary>
public unsafe ref struct SystemCall
{
    public ulong Number;
    public ulong A0;
    public ulong A1;
    public ulong A2;
    public ulong A3;
    public ulong A4;
    public ulong A5;
    /// <summary>
    /// The component that the call is made on; not a reference, which would have the whole structure cleared before it is filled.
    /// </summary>
    public ObjectPointer<ProcessorMonitor> Component;
    public Process* Process;
    public UserThread* Thread;
    public UserContext* User;
    /// <summary>
    /// The deadline that this call kept when a signal interrupted it, in Clock.NowNs time; 0 when it is not the continuation of such a
    /// call.
    /// </summary>
    public ulong ResumedDeadlineNs;

    /// <summary>
    /// Fails with what a wait said; if that is EINTR, the call goes on to the same deadline when no handler runs, instead of waiting anew.
    /// </summary>
    public readonly long FailKeeping(Errno error, ulong deadlineNs)
    {
        if (error == Errno.EINTR)
        {
            Thread->InterruptedDeadlineNs = deadlineNs;
        }

        return Fail(error);
    }

    public readonly ProcessorMonitor Processor => Component.Target;

    /// <summary>The file system of the component.</summary>
    public readonly FileSystem Files => Processor.Files;

    /// <summary>The result that reports an error.</summary>
    public static long Fail(Errno error) => CallResult.Fail(error);

    /// <summary><paramref name="value"/>, or the error when there is one.</summary>
    public static long Result(Errno error, long value = 0) => CallResult.Of(error, value);
}
