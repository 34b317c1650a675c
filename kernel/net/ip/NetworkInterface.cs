// The interfaces of a stack: loopback, which is always there, and one for each card. What they are called, what they are able to carry, and
// what they have carried (/proc/net/dev).

using System;

namespace Lego.Kernel;

/// <summary>What an interface is made of.</summary>
public enum InterfaceKind : byte
{
    None = 0,
    Loopback = 1,
    Ethernet = 2,
}

/// <summary>One interface; its index, from 1 on, is its name towards programs (if_nametoindex(3)).</summary>
public struct NetworkInterface
{
    /// <summary>As Linux's: one packet of any length.</summary>
    public const int LoopbackMtuBytes = 65536;

    private const ulong DefaultReachableNs = 30 * NetworkClock.NsPerSecond;
    private const ulong DefaultRetransmitNs = NetworkClock.NsPerSecond;
    private const byte DefaultHopLimit = 64;

    public InterfaceKind Kind;
    public int Index;
    public ulong HardwareAddress;
    /// <summary>The longest IP packet.</summary>
    public int MtuBytes;
    /// <summary>The same for IPv6, which a router may lower (RFC 4861, 4.6.4).</summary>
    public int Ipv6MtuBytes;
    /// <summary>IFF_UP: set by the administrator; the loopback interface always is.</summary>
    public bool IsUp;
    /// <summary>IFF_RUNNING: the card has a carrier.</summary>
    public bool HasCarrier;

    /// <summary>Of packets whose sender does not say; a router may set IPv6's (RFC 4861, 6.3.4).</summary>
    public byte Ipv6HopLimit;
    /// <summary>BaseReachableTime (RFC 4861, 6.3.2).</summary>
    public ulong ReachableNs;
    /// <summary>RetransTimer.</summary>
    public ulong RetransmitNs;

    public InterfaceCounters Counters;

    public NetworkInterface(InterfaceKind kind, int index, ulong hardwareAddress, int mtuBytes)
    {
        Kind = kind;
        Index = index;
        HardwareAddress = hardwareAddress;
        MtuBytes = mtuBytes;
        Ipv6MtuBytes = mtuBytes;
        IsUp = true;
        HasCarrier = true;
        Ipv6HopLimit = DefaultHopLimit;
        ReachableNs = DefaultReachableNs;
        RetransmitNs = DefaultRetransmitNs;
        Counters = default;
    }

    /// <summary>ARPHRD_LOOPBACK or ARPHRD_ETHER (linux/if_arp.h).</summary>
    public readonly ushort HardwareType => (ushort)(Kind == InterfaceKind.Loopback ? 772 : 1);

    /// <summary>Writes "lo" or "eth0"; how many bytes. There is one loopback interface, number 1.</summary>
    public readonly int WriteName(Span<byte> to)
    {
        if (Kind == InterfaceKind.Loopback)
        {
            "lo"u8.CopyTo(to);
            return 2;
        }

        "eth"u8.CopyTo(to);
        return 3 + DecimalDigits.Write(to.Slice(3), (ulong)(Index - InterfaceTable.LoopbackIndex - 1));
    }
}

/// <summary>The columns of /proc/net/dev.</summary>
public struct InterfaceCounters
{
    public ulong ReceivedBytes;
    public ulong ReceivedPackets;
    public ulong ReceiveDrops;
    public ulong ReceivedGroupPackets;
    public ulong SentBytes;
    public ulong SentPackets;
    public ulong SendDrops;
}
