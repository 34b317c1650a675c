// Which system calls start again after a handler that was installed with SA_RESTART (signal(7), "Interruption of system calls and library functions by
// signal handlers"). Without a handler (a stop and continue) every call starts again. Pure.

namespace Lego.Processor;

/// <summary>Restart rules.</summary>
public static class SystemCallRestart
{
    /// <summary>rt_sigreturn: its result is a restored register, never an error of its own.</summary>
    public const ulong SignalReturn = 15;

    /// <summary>True for calls that SA_RESTART restarts; the others fail with EINTR.</summary>
    public static bool IsRestartable(ulong number)
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
            case 43: // accept
            case 44: // sendto
            case 45: // recvfrom
            case 46: // sendmsg
            case 47: // recvmsg
            case 61: // wait4
            case 72: // fcntl F_SETLKW
            case 73: // flock
            case 202: // futex
            case 247: // waitid
            case 257: // openat
            case 275: // splice
            case 288: // accept4
            case 295: // preadv
            case 296: // pwritev
            case 318: // getrandom
            case 326: // copy_file_range
                return true;
            default:
                return false;
        }
    }
}
