// Protocol numbers of IPv4's Protocol and IPv6's Next Header field (IANA, Assigned Internet Protocol Numbers).

namespace Lego.Kernel;

/// <summary>What follows an IP header.</summary>
public static class IpProtocol
{
    public const byte HopByHopOptions = 0;
    public const byte Icmp = 1;
    public const byte Igmp = 2;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte RoutingHeader = 43;
    public const byte FragmentHeader = 44;
    public const byte Icmpv6 = 58;
    public const byte NoNextHeader = 59;
    public const byte DestinationOptions = 60;
    /// <summary>IPPROTO_RAW: the program writes the IP header itself (raw(7)).</summary>
    public const byte Raw = 255;
}
