// The numbers of sockets that Linux has fixed for programs (include/linux/socket.h, include/uapi/asm-generic/socket.h).

namespace Lego.Processor;

/// <summary>Address families (AF_*).</summary>
public static class AddressFamily
{
    public const int Unspecified = 0;
    public const int Unix = 1;
    public const int Internet = 2;
    public const int Internet6 = 10;
    public const int Netlink = 16;
    public const int Packet = 17;
    /// <summary>AF_MAX: numbers from here on are no families at all.</summary>
    public const int Count = 46;
}

/// <summary>Types of sockets (SOCK_*).</summary>
public enum SocketType : byte
{
    Stream = 1,
    Datagram = 2,
    Raw = 3,
    SequencedPacket = 5,
}

/// <summary>Flags of messages (MSG_*).</summary>
[System.Flags]
public enum MessageFlags : uint
{
    None = 0,
    OutOfBand = 1,
    Peek = 2,
    DontRoute = 4,
    /// <summary>Control messages did not fit.</summary>
    ControlTruncated = 8,
    /// <summary>As a result: the datagram did not fit. As a wish: tell its whole length.</summary>
    Truncated = 0x20,
    DontWait = 0x40,
    EndOfRecord = 0x80,
    WaitAll = 0x100,
    Confirm = 0x800,
    ErrorQueue = 0x2000,
    NoSignal = 0x4000,
    More = 0x8000,
    /// <summary>MSG_WAITFORONE of recvmmsg.</summary>
    WaitForOne = 0x10000,
    FastOpen = 0x20000000,
    ControlCloseOnExec = 0x40000000,
    /// <summary>MSG_CMSG_COMPAT.</summary>
    Compatible = 0x80000000,
}

/// <summary>Levels of options.</summary>
public static class OptionLevel
{
    public const int Internet = 0;
    public const int Socket = 1;
    public const int Tcp = 6;
    public const int Udp = 17;
    public const int Internet6 = 41;
    public const int Raw = 255;
    public const int Packet = 263;
    public const int Netlink = 270;
}

/// <summary>Options of the socket itself (SO_*, socket(7)).</summary>
public enum SocketOption
{
    Debug = 1,
    ReuseAddress = 2,
    Type = 3,
    Error = 4,
    DontRoute = 5,
    Broadcast = 6,
    SendBuffer = 7,
    ReceiveBuffer = 8,
    KeepAlive = 9,
    OutOfBandInline = 10,
    Priority = 12,
    Linger = 13,
    ReusePort = 15,
    PassCredentials = 16,
    PeerCredentials = 17,
    ReceiveLowWater = 18,
    SendLowWater = 19,
    ReceiveTimeout = 20,
    SendTimeout = 21,
    BindToDevice = 25,
    AttachFilter = 26,
    DetachFilter = 27,
    Timestamp = 29,
    AcceptsConnections = 30,
    SendBufferForce = 32,
    ReceiveBufferForce = 33,
    TimestampNs = 35,
    Mark = 36,
    Protocol = 38,
    Domain = 39,
    LockFilter = 44,
    PeerGroups = 59,
    ReceiveTimeout64 = 66,
    SendTimeout64 = 67,
}
