// Above IP: gives packets, and errors about packets of ours, to the protocols whose they are. Raw endpoints see everything first.

namespace Lego.Kernel;

/// <summary>Knows all protocols; NetworkStack makes and connects it.</summary>
internal sealed class TransportDemux : IpReceiver
{
    private readonly NetworkStack _stack;

    internal TransportDemux(NetworkStack stack)
    {
        _stack = stack;
    }

    /// <inheritdoc/>
    public override bool Deliver(scoped in IncomingPacket packet)
    {
        bool isTaken = _stack.Raw.Receive(packet);
        switch (packet.Protocol)
        {
            case IpProtocol.Tcp:
                if (!packet.IsToMany)
                {
                    _stack.Tcp.OnSegment(
                        packet.Source, packet.Destination, (uint)packet.InterfaceIndex, packet.Payload, packet.Ecn,
                        IsOwn(packet) ? SegmentChecksum.Verified : SegmentChecksum.Unverified, _stack.Clock.NowNs);
                }

                return true;
            case IpProtocol.Udp:
                DeliverDatagram(packet);
                return true;
            case IpProtocol.Icmp when packet.IsV4:
                if (_stack.Icmpv4.TryReceive(packet))
                {
                    _stack.Ping.Receive(packet);
                }

                return true;
            case IpProtocol.Icmpv6 when !packet.IsV4:
                if (_stack.Icmpv6.TryReceive(packet))
                {
                    _stack.Ping.Receive(packet);
                }

                return true;
            case IpProtocol.Igmp when packet.IsV4:
                _stack.Memberships.OnIgmp(packet);
                return true;
            default:
                return isTaken;
        }
    }

    /// <inheritdoc/>
    public override void DeliverError(scoped in IncomingError error)
    {
        _stack.Raw.ReceiveError(error);
        switch (error.Protocol)
        {
            case IpProtocol.Tcp when error.MtuBytes != 0:
                _stack.Tcp.OnPacketTooBig(error.Source, error.Destination, (uint)error.InterfaceIndex, error.Payload, _stack.Clock.NowNs);
                break;
            case IpProtocol.Tcp:
                _stack.Tcp.OnIcmpError(
                    error.Source, error.Destination, (uint)error.InterfaceIndex, error.Payload, error.Error, error.IsHard,
                    _stack.Clock.NowNs);
                break;
            case IpProtocol.Udp:
                _stack.Udp.ReceiveError(error);
                break;
            case IpProtocol.Icmp or IpProtocol.Icmpv6:
                _stack.Ping.ReceiveError(error);
                break;
            default:
                break;
        }
    }

    /// <summary>What came over the loopback interface was never on a wire.</summary>
    private static bool IsOwn(scoped in IncomingPacket packet) => packet.InterfaceIndex == InterfaceTable.LoopbackIndex;

    private void DeliverDatagram(scoped in IncomingPacket packet)
    {
        bool isTaken = packet.IsV4 && _stack.TryReceiveDhcp(packet);
        isTaken |= _stack.Udp.TryReceive(packet);
        if (!isTaken)
        {
            _stack.Errors.Send(
                packet, packet.IsV4 ? IcmpType.DestinationUnreachable : Icmpv6Type.DestinationUnreachable,
                packet.IsV4 ? (byte)IcmpUnreachable.Port : Icmpv6Unreachable.Port);
        }
    }
}
