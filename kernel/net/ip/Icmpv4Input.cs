// Received ICMP messages for IPv4 (RFC 792): requests are answered, errors are told to the protocol that has sent what they quote.
// Redirects, source quench (RFC 6633), address masks and timestamps are counted and ignored.

namespace Lego.Kernel;

/// <summary>Takes messages.</summary>
public sealed class Icmpv4Input
{
    private readonly IcmpEcho _echo;
    private readonly AddressTable _addresses;
    private readonly InterfaceTable _interfaces;
    private readonly PathMtuCache _pathMtus;
    private readonly NetworkCounters _counters;
    private readonly IpReceiver _receiver;

    public Icmpv4Input(
        IcmpEcho echo, AddressTable addresses, InterfaceTable interfaces, PathMtuCache pathMtus, NetworkCounters counters,
        IpReceiver receiver)
    {
        _echo = echo;
        _addresses = addresses;
        _interfaces = interfaces;
        _pathMtus = pathMtus;
        _counters = counters;
        _receiver = receiver;
    }

    /// <summary>Takes a message. False: it is damaged, and counted.</summary>
    public bool TryReceive(scoped in IncomingPacket packet)
    {
        ref IcmpCounters counters = ref _counters.Icmpv4;
        counters.InMsgs++;
        if (!IcmpHeader.TryParse(packet.Payload, out IcmpHeader message))
        {
            counters.InErrors++;
            return false;
        }

        if (!ChecksumField.IsIntact(packet.Payload))
        {
            counters.InErrors++;
            counters.InCsumErrors++;
            return false;
        }

        switch (message.Type)
        {
            case IcmpType.Echo:
                counters.InEchos++;
                _echo.Answer(packet, message);
                break;
            case IcmpType.EchoReply:
                counters.InEchoReps++;
                break;
            case IcmpType.DestinationUnreachable:
                counters.InDestUnreachs++;
                ReceiveError(packet, message);
                break;
            case IcmpType.TimeExceeded:
                counters.InTimeExcds++;
                ReceiveError(packet, message);
                break;
            case IcmpType.ParameterProblem:
                counters.InParmProbs++;
                ReceiveError(packet, message);
                break;
            case IcmpType.Redirect:
                counters.InRedirects++;
                break;
            default:
                break;
        }

        return true;
    }

    private void ReceiveError(scoped in IncomingPacket packet, scoped in IcmpHeader message)
    {
        // What is quoted must have come from us, and an error to many is nobody's (RFC 5927, 4).
        if (!QuotedPacket.TryParse(message.Body, out IncomingError error) || packet.IsToMany || !error.IsV4
            || !_addresses.IsLocal(error.Source, packet.InterfaceIndex))
        {
            _counters.Icmpv4.InErrors++;
            return;
        }

        error.InterfaceIndex = packet.InterfaceIndex;
        error.Reporter = packet.Source;
        error.Type = message.Type;
        error.Code = message.Code;
        error.Error = ErrorOf(message.Type, message.Code, out error.IsHard);
        if (message.Type == IcmpType.DestinationUnreachable && message.Code == IcmpUnreachable.FragmentationNeeded)
        {
            Ipv4Header.TryParseQuoted(message.Body, out Ipv4Header quoted);
            int link = _addresses.InterfaceOf(error.Source);
            error.MtuBytes = _pathMtus.Report(error.Destination, message.Sequence, quoted.TotalLength, _interfaces[link].MtuBytes);
        }

        _receiver.DeliverError(error);
    }

    /// <summary>As Linux's icmp_err_convert; hard ones end what they are about (RFC 1122, 4.2.3.9).</summary>
    private static Errno ErrorOf(byte type, byte code, out bool isHard)
    {
        isHard = type == IcmpType.ParameterProblem
            || (type == IcmpType.DestinationUnreachable && code is IcmpUnreachable.Protocol or IcmpUnreachable.Port);
        return type switch
        {
            IcmpType.ParameterProblem => Errno.EPROTO,
            IcmpType.TimeExceeded => Errno.EHOSTUNREACH,
            _ => code switch
            {
                IcmpUnreachable.Network => Errno.ENETUNREACH,
                IcmpUnreachable.Protocol => Errno.ENOPROTOOPT,
                IcmpUnreachable.Port => Errno.ECONNREFUSED,
                IcmpUnreachable.FragmentationNeeded => Errno.EMSGSIZE,
                IcmpUnreachable.SourceRouteFailed => Errno.EOPNOTSUPP,
                6 or 9 => Errno.ENETUNREACH,
                7 => Errno.EHOSTDOWN,
                8 => Errno.ENONET,
                11 => Errno.ENETUNREACH,
                _ => Errno.EHOSTUNREACH,
            },
        };
    }
}
