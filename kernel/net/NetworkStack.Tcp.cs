// What TCP asks of the layers below and above it.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class NetworkStack
{
    /// <inheritdoc/>
    public override bool Send(TcpConnection* connection, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, uint ecn)
    {
        OutgoingPacket packet = new(connection->Local.Address, connection->Remote.Address, IpProtocol.Tcp);
        packet.InterfaceIndex = (int)connection->Remote.Scope;
        packet.TrafficClass = (byte)(connection->TrafficClass | ecn);
        packet.HopLimit = connection->HopLimit;
        return Output.Send(packet, header, a, b) == Errno.None;
    }

    /// <inheritdoc/>
    public override void SendBare(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment)
    {
        OutgoingPacket packet = new(source, destination, IpProtocol.Tcp);
        packet.InterfaceIndex = InterfaceFor(destination, interfaceIndex);
        Output.Send(packet, default, segment, default);
    }

    /// <inheritdoc/>
    public override int PayloadLimit(IpAddress source, IpAddress destination, uint interfaceIndex)
    {
        const int lowestMtu = 576;
        const int longestPacket = ushort.MaxValue;
        bool isKnown = _router.TryFind(destination, InterfaceFor(destination, interfaceIndex), source, out IpPath path) == Errno.None;
        int mtu = isKnown ? path.MtuBytes : destination.IsV4 ? lowestMtu : Ipv6Header.MinimumMtu;
        return Math.Min(mtu, longestPacket) - (destination.IsV4 ? Ipv4Header.SizeBytes : Ipv6Header.SizeBytes) - TcpHeader.MinimumBytes;
    }

    /// <inheritdoc/>
    public override bool TrySourceFor(IpAddress destination, uint interfaceIndex, out IpAddress source)
    {
        bool isKnown = _router.TryFind(destination, InterfaceFor(destination, interfaceIndex), default, out IpPath path) == Errno.None;
        source = path.Source;
        return isKnown;
    }

    /// <inheritdoc/>
    public override bool CompletesChecksum(TcpConnection* connection) => Addresses.IsLocal(connection->Remote.Address, 0);

    /// <inheritdoc/>
    public override void Changed(TcpConnection* connection) => _events.Changed(connection);

    /// <inheritdoc/>
    public override void UrgentCame(TcpConnection* connection) => _events.UrgentCame(connection);

    /// <summary>Only a link-local address needs its interface; others go as the routes say.</summary>
    private static int InterfaceFor(IpAddress destination, uint interfaceIndex) =>
        !destination.IsV4 && destination.IsLinkLocal ? (int)interfaceIndex : 0;
}
