// What an open file can be, and the flags of open(2). The numbers of the flags are Linux's for x86-64 (include/uapi/asm-generic/fcntl.h).

namespace Lego.Processor;

/// <summary>Selects the operations of an open file (FileOperations.Of).</summary>
public enum FileKind : byte
{
    None = 0,
    Regular,
    Directory,
    /// <summary>One end (or both) of a pipe or FIFO.</summary>
    Pipe,
    /// <summary>A session's standard input, output or error, or its terminal.</summary>
    StandardStream,
    Null,
    Zero,
    Full,
    Random,
    /// <summary>A text of /proc or /sys.</summary>
    PseudoText,
    /// <summary>A directory of /proc, /sys or /dev.</summary>
    PseudoDirectory,
    /// <summary>eventfd(2).</summary>
    Event,
    /// <summary>epoll(7).</summary>
    Epoll,
    /// <summary>timerfd_create(2).</summary>
    Timer,
    /// <summary>signalfd(2).</summary>
    Signal,
    /// <summary>inotify(7).</summary>
    Inotify,
    /// <summary>socket(7).</summary>
    Socket,
    /// <summary>pidfd_open(2).</summary>
    Process,
    /// <summary>mq_open(3).</summary>
    PosixQueue,
    /// <summary>O_PATH: a name, not opened.</summary>
    PathOnly,
}

/// <summary>Flags of open(2) and of F_GETFL.</summary>
[System.Flags]
public enum OpenFlags : uint
{
    ReadOnly = 0,
    WriteOnly = 1,
    ReadWrite = 2,
    AccessMask = 3,
    Create = 0x40,
    Exclusive = 0x80,
    NoControllingTerminal = 0x100,
    Truncate = 0x200,
    Append = 0x400,
    NonBlocking = 0x800,
    DataSync = 0x1000,
    Async = 0x2000,
    Direct = 0x4000,
    LargeFile = 0x8000,
    Directory = 0x10000,
    NoFollow = 0x20000,
    NoAccessTime = 0x40000,
    CloseOnExec = 0x80000,
    /// <summary>O_SYNC includes O_DSYNC.</summary>
    Sync = 0x101000,
    Path = 0x200000,
    /// <summary>O_TMPFILE's own bit; the constant of the header includes O_DIRECTORY.</summary>
    Temporary = 0x400000,
    /// <summary>What F_SETFL may change; O_ASYNC besides, of files that send signals (SignalDrivenIo).</summary>
    Settable = Append | NonBlocking | Direct | NoAccessTime,
    /// <summary>What an open file remembers.</summary>
    Remembered = AccessMask | Append | NonBlocking | Sync | Direct | LargeFile | Directory | NoFollow | NoAccessTime | Path
        | Temporary,
    /// <summary>What an O_PATH descriptor remembers (open(2), O_PATH).</summary>
    RememberedOfPath = Directory | NoFollow | Path,
}

/// <summary>Events of poll(2).</summary>
[System.Flags]
public enum PollEvents : ushort
{
    None = 0,
    In = 1,
    Priority = 2,
    Out = 4,
    Error = 8,
    HangUp = 0x10,
    Invalid = 0x20,
    ReadNormal = 0x40,
    WriteNormal = 0x100,
    WriteBand = 0x200,
    /// <summary>POLLRDHUP: the peer has ended its side of a stream.</summary>
    ReadHangUp = 0x2000,
    Readable = In | ReadNormal,
    Writable = Out | WriteNormal,
}

/// <summary>Device numbers (documentation: admin-guide/devices.txt of Linux).</summary>
public static class DeviceNumber
{
    public const uint Null = 0x103;
    public const uint Zero = 0x105;
    public const uint Full = 0x107;
    public const uint Random = 0x108;
    public const uint URandom = 0x109;
    public const uint Terminal = 0x500;
    public const uint Console = 0x501;
    /// <summary>/dev/pts/0, the session's terminal.</summary>
    public const uint FirstPseudoTerminal = 0x8800;
    /// <summary>st_dev of the volume: the first SCSI-like disk.</summary>
    public const uint Volume = 0x800;
    /// <summary>st_dev of /proc, /sys, /dev and of pipes: anonymous devices.</summary>
    public const uint Proc = 0x15;
    public const uint Sys = 0x16;
    public const uint Dev = 0x5;
    public const uint Pipes = 0xC;
    /// <summary>st_dev of sockets.</summary>
    public const uint Sockets = 0x9;
    /// <summary>st_dev of what has no name at all: event counters, epoll instances.</summary>
    public const uint Anonymous = 0xE;
    /// <summary>st_dev of memory objects (Linux: the kernel's own tmpfs).</summary>
    public const uint SharedMemory = 0x1;
    /// <summary>st_dev of message queues.</summary>
    public const uint MessageQueues = 0x13;
}
