// Received ICMPv6 messages (RFC 4443): echo, errors; the messages of neighbour discovery and of multicast listeners go to those who know
// them.

namespace Lego.Kernel;

/// <summary>Takes messages.</summary>
public sealed class Icmpv6Input
{
    private readonly IcmpEcho _echo;
    private readonly AddressTable _addresses;
    private readonly InterfaceTable _interfaces;
    private readonly PathMtuCache _pathMtus;
    private readonly NetworkCounters _counters;
    private readonly IpReceiver _receiver;
    private readonly NeighbourDiscovery _discovery;
    private readonly GroupMembership _groups;

    public Icmpv6Input(
        IcmpEcho echo, AddressTable addresses, InterfaceTable interfaces, PathMtuCache pathMtus, NetworkCounters counters,
        IpReceiver receiver,
        NeighbourDiscovery discovery, GroupMembership groups)
    {
        _echo = echo;
        _addresses = addresses;
        _interfaces = interfaces;
        _pathMtus = pathMtus;
        _counters = counters;
        _receiver = receiver;
        _discovery = discovery;
        _groups = groups;
    }

    /// <summary>Takes a message. False: it is damaged, and counted.</summary>
    public bool TryReceive(scoped in IncomingPacket packet)
    {
        ref IcmpCounters counters = ref _counters.Icmpv6;
        counters.InMsgs++;
        if (!IcmpHeader.TryParse(packet.Payload, out IcmpHeader message))
        {
            counters.InErrors++;
            return false;
        }

        if (!ChecksumField.IsIntact(packet.Payload, packet.Source, packet.Destination, IpProtocol.Icmpv6))
        {
            counters.InErrors++;
            counters.InCsumErrors++;
            return false;
        }

        if (Icmpv6Type.IsError(message.Type))
        {
            ReceiveError(packet, message, ref counters);
            return true;
        }

        switch (message.Type)
        {
            case Icmpv6Type.EchoRequest:
                counters.InEchos++;
                _echo.Answer(packet, message);
                break;
            case Icmpv6Type.EchoReply:
                counters.InEchoReps++;
                break;
            case Icmpv6Type.ListenerQuery:
                counters.InGroupMembQueries++;
                _groups.OnMldQuery(packet);
                break;
            case Icmpv6Type.ListenerReport or Icmpv6Type.ListenerReportV2:
                counters.InGroupMembReports++;
                break;
            case Icmpv6Type.NeighbourSolicitation or Icmpv6Type.NeighbourAdvertisement
                or Icmpv6Type.RouterAdvertisement or Icmpv6Type.Redirect:
                if (!_discovery.TryReceive(packet, message))
                {
                    counters.InErrors++;
                }

                break;
            default:
                break;
        }

        return true;
    }

    private void ReceiveError(scoped in IncomingPacket packet, scoped in IcmpHeader message, ref IcmpCounters counters)
    {
        switch (message.Type)
        {
            case Icmpv6Type.DestinationUnreachable:
                counters.InDestUnreachs++;
                break;
            case Icmpv6Type.PacketTooBig:
                counters.InPktTooBigs++;
                break;
            case Icmpv6Type.TimeExceeded:
                counters.InTimeExcds++;
                break;
            default:
                counters.InParmProbs++;
                break;
        }

        if (!QuotedPacket.TryParse(message.Body, out IncomingError error) || packet.IsToMany || error.IsV4
            || !_addresses.IsLocal(error.Source, packet.InterfaceIndex))
        {
            counters.InErrors++;
            return;
        }

        error.InterfaceIndex = packet.InterfaceIndex;
        error.Reporter = packet.Source;
        error.Type = message.Type;
        error.Code = message.Code;
        error.Error = ErrorOf(message.Type, message.Code, out error.IsHard);
        if (message.Type == Icmpv6Type.PacketTooBig)
        {
            int mtu = (int)System.Math.Min(message.Parameter, (uint)NetworkInterface.LoopbackMtuBytes);
            int link = _addresses.InterfaceOf(error.Source);
            error.MtuBytes = _pathMtus.Report(error.Destination, System.Math.Max(mtu, 1), 0, _interfaces[link].Ipv6MtuBytes);
        }

        _receiver.DeliverError(error);
    }

    /// <summary>As Linux's icmpv6_err_convert.</summary>
    private static Errno ErrorOf(byte type, byte code, out bool isHard)
    {
        isHard = (type == Icmpv6Type.DestinationUnreachable && code is Icmpv6Unreachable.Port or Icmpv6Unreachable.Prohibited)
            || type == Icmpv6Type.ParameterProblem;
        return type switch
        {
            Icmpv6Type.DestinationUnreachable => code switch
            {
                Icmpv6Unreachable.NoRoute => Errno.ENETUNREACH,
                Icmpv6Unreachable.Prohibited or 5 or 6 => Errno.EACCES,
                Icmpv6Unreachable.Port => Errno.ECONNREFUSED,
                _ => Errno.EHOSTUNREACH,
            },
            Icmpv6Type.PacketTooBig => Errno.EMSGSIZE,
            Icmpv6Type.TimeExceeded => Errno.EHOSTUNREACH,
            _ => Errno.EPROTO,
        };
    }
}
