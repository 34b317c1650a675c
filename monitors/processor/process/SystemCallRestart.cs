// What becomes of a system call that a signal interrupted, once the signal has been acted on (signal(7), "Interruption of system calls and
// library functions by signal handlers" and "... by stop signals"). The names in brackets are those of Linux's include/linux/errno.h. A
// call that waits for a time leaves its deadline in the thread (SystemCall.FailKeeping): started again it waits for the rest, and
// SA_RESTART does not restart it. Pure.

namespace Lego.Processor;

/// <summary>When an interrupted call starts again.</summary>
public enum RestartRule : byte
{
    /// <summary>It fails with EINTR, whatever interrupted it.</summary>
    Never,
    /// <summary>When no handler ran, as after a stop and continue (ERESTARTNOHAND, ERESTART_RESTARTBLOCK).</summary>
    WithoutHandler,
    /// <summary>When no handler ran, or one that was installed with SA_RESTART (ERESTARTSYS).</summary>
    WithRestartFlag,
    /// <summary>Always: the program never sees that it was interrupted (ERESTARTNOINTR).</summary>
    Always,
}

/// <summary>Restart rules.</summary>
public static class SystemCallRestart
{
    /// <summary>rt_sigreturn: its result is a restored register, never an error of its own.</summary>
    public const ulong SignalReturn = 15;

    /// <summary>The rule of a call.</summary>
    public static RestartRule RuleOf(ulong number)
    {
        switch (number)
        {
            case 0: // read
            case 1: // write
            case 2: // open
            case 16: // ioctl
            case 17: // pread64
            case 18: // pwrite64
            case 19: // readv
            case 20: // writev
            case 40: // sendfile
            case 42: // connect
            case 43: // accept
            case 44: // sendto
            case 45: // recvfrom
            case 46: // sendmsg
            case 47: // recvmsg
            case 61: // wait4
            case 72: // fcntl F_SETLKW
            case 73: // flock
            case 202: // futex
            case 242: // mq_timedsend
            case 243: // mq_timedreceive
            case 247: // waitid
            case 257: // openat
            case 275: // splice
            case 288: // accept4
            case 299: // recvmmsg
            case 307: // sendmmsg
            case 295: // preadv
            case 296: // pwritev
            case 318: // getrandom
            case 326: // copy_file_range
            case 327: // preadv2
            case 328: // pwritev2
            case 449: // futex_waitv
                return RestartRule.WithRestartFlag;
            case 56: // clone
            case 57: // fork
            case 58: // vfork
                return RestartRule.Always;
            case 65: // semop
            case 128: // rt_sigtimedwait
            case 208: // io_getevents
            case 220: // semtimedop
            case 232: // epoll_wait
            case 281: // epoll_pwait
            case 441: // epoll_pwait2
                return RestartRule.Never;
            default:
                return RestartRule.WithoutHandler;
        }
    }
}
