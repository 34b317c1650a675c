// What TCP asks of its surroundings: the IP layer below and the sockets above. NetworkStack implements it for the images, and tests do.
// Nothing here may block, and nothing may call back into Tcp before it returns.

using System;

namespace Lego.Kernel;

/// <summary>How a received segment's checksum stands.</summary>
public enum SegmentChecksum
{
    /// <summary>Nobody has looked at it.</summary>
    Unverified,

    /// <summary>The card has verified it, or it never was on a wire.</summary>
    Verified,
}

/// <summary>The congestion bits of an IP header (RFC 3168, 5).</summary>
public static class EcnCodepoint
{
    public const uint NotCapable = 0;
    public const uint Capable1 = 1;
    public const uint Capable0 = 2;
    public const uint CongestionExperienced = 3;
}

/// <summary>The layers below and above TCP.</summary>
public abstract unsafe class TcpHost
{
    /// <summary>
    /// Sends a segment of a connection from Local to Remote: a header with its options, and the payload in two pieces. The checksum field
    /// is filled in unless <see cref="CompletesChecksum"/>; then it is 0. False: it was not sent, for want of a route or a buffer; TCP
    /// tries again.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool Send(TcpConnection* connection, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, uint ecn);

    /// <summary>
    /// Sends a whole segment, checksum included, that belongs to no connection (a reset, the answer with a SYN cookie). The interface is
    /// the one by which the segment came that it answers.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public abstract void SendBare(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment);

    /// <summary>
    /// Bytes that one segment without TCP options can carry to there: the path's MTU (the interface's for addresses that are not routed)
    /// less the headers of IP and TCP. Asked when a connection begins and after <see cref="Tcp.OnPacketTooBig"/>.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public abstract int PayloadLimit(IpAddress source, IpAddress destination, uint interfaceIndex);

    /// <summary>The address from which packets to the destination go; false: there is no route.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool TrySourceFor(IpAddress destination, uint interfaceIndex, out IpAddress source);

    /// <summary>True when segments of the connection need no checksum from TCP: the card writes it, or the way is the loopback.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool CompletesChecksum(TcpConnection* connection);

    /// <summary>What <see cref="Tcp.Poll"/> says of the connection may have changed. Not called for connections that were closed.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Changed(TcpConnection* connection);

    /// <summary>The peer has said that there is urgent data, or more of it; <see cref="Changed"/> is called as well.</summary>
    [NoBlock]
    [NoAllocation]
    public virtual void UrgentCame(TcpConnection* connection)
    {
    }
}
