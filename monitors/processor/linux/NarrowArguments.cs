// Arguments that Linux declares as int or unsigned int: what a program leaves in the upper half of the register means nothing
// (SYSCALL_DEFINEx of Linux casts each argument to its type; glibc passes ints with the upper half undefined). Handlers that read such an
// argument as a 32-bit number of their own accord are not listed.

using System.Runtime.CompilerServices;

namespace Lego.Processor;

/// <summary>The types of system calls' arguments, as far as they are narrower than a register.</summary>
public static class NarrowArguments
{
    private const uint First = 1;
    private const uint Second = 2;
    private const uint Third = 4;
    private const uint Fourth = 8;
    private const uint Fifth = 0x10;
    private const uint Sixth = 0x20;

    /// <summary>Clears the upper halves that do not count.</summary>
    [SkipLocalsInit]
    public static void Apply(ref SystemCall call)
    {
        uint narrow = Of(call.Number);
        if (narrow == 0)
        {
            return;
        }

        call.A0 = (narrow & First) != 0 ? (uint)call.A0 : call.A0;
        call.A1 = (narrow & Second) != 0 ? (uint)call.A1 : call.A1;
        call.A2 = (narrow & Third) != 0 ? (uint)call.A2 : call.A2;
        call.A3 = (narrow & Fourth) != 0 ? (uint)call.A3 : call.A3;
        call.A4 = (narrow & Fifth) != 0 ? (uint)call.A4 : call.A4;
        call.A5 = (narrow & Sixth) != 0 ? (uint)call.A5 : call.A5;
    }

    /// <summary>The arguments of a call that are narrow, a bit each.</summary>
    private static uint Of(ulong number)
    {
        switch (number)
        {
            case 36: // getitimer
            case 38: // setitimer
            case 97: // getrlimit
            case 160: // setrlimit
            case 222: // timer_create
            case 227: // clock_settime
            case 228: // clock_gettime
            case 229: // clock_getres
                return First;
            case 230: // clock_nanosleep
                return First | Second;
            case 21: // access
            case 72: // fcntl
            case 302: // prlimit64
                return Second;
            case 19: // readv: so many segments
            case 20: // writev
            case 26: // msync
            case 28: // madvise
            case 263: // unlinkat
            case 269: // faccessat
            case 295: // preadv
            case 296: // pwritev
            case 310: // process_vm_readv
            case 311: // process_vm_writev
            case 318: // getrandom
            case 325: // mlock2
            case 327: // preadv2
            case 328: // pwritev2
            case 436: // close_range
                return Third;
            case 278: // vmsplice
            case 332: // statx
            case 439: // faccessat2
            case 452: // fchmodat2
                return Third | Fourth;
            case 262: // newfstatat
            case 277: // sync_file_range
            case 280: // utimensat
                return Fourth;
            case 188: // setxattr
            case 189: // lsetxattr
            case 190: // fsetxattr
            case 260: // fchownat
            case 265: // linkat
            case 303: // name_to_handle_at
            case 322: // execveat
                return Fifth;
            case 326: // copy_file_range
                return Sixth;
            default:
                return 0;
        }
    }
}
