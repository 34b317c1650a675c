// A client of DHCP (RFC 2131, 4.4, figure 5) for one interface: gets an IPv4 address with its network, its routers (option 3) and its
// name servers (option 6), and keeps the lease alive. Left out: INIT-REBOOT (nothing is remembered across boots), DECLINE, RELEASE and
// INFORM.

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>Where a client stands.</summary>
public enum DhcpState : byte
{
    Off = 0,
    /// <summary>DISCOVER is out.</summary>
    Selecting = 1,
    /// <summary>An offer was taken; REQUEST is out.</summary>
    Requesting = 2,
    Bound = 3,
    /// <summary>T1 is over: the server is asked again.</summary>
    Renewing = 4,
    /// <summary>T2 is over: anybody is asked.</summary>
    Rebinding = 5,
}

/// <summary>The client.</summary>
public sealed class DhcpClient
{
    private const int MessageBytes = 320;
    private const ulong FirstRetryNs = 4 * NetworkClock.NsPerSecond;
    private const ulong LongestRetryNs = 64 * NetworkClock.NsPerSecond;
    private const ulong SpreadNs = 2 * NetworkClock.NsPerSecond;
    private const ulong ShortestRenewalNs = 60 * NetworkClock.NsPerSecond;
    private const uint DefaultLeaseSeconds = 3600;
    private const uint ShortestLeaseSeconds = 10;
    private const uint Forever = uint.MaxValue;
    private const int MaxRequests = 4;
    private const uint Broadcast = uint.MaxValue;

    private readonly int _interfaceIndex;
    private readonly NetworkClock _clock;
    private readonly NetworkRandom _random;
    private readonly InterfaceTable _interfaces;
    private readonly IpOutput _output;
    private readonly AddressConfiguration _configuration;

    private uint _transaction;
    private ulong _startedNs;
    private ulong _retryNs;
    private int _tries;
    private uint _offered;
    private uint _server;
    private ulong _renewNs;
    private ulong _rebindNs;
    private ulong _expireNs;

    public DhcpClient(
        int interfaceIndex, NetworkClock clock, NetworkRandom random, InterfaceTable interfaces, IpOutput output,
        AddressConfiguration configuration)
    {
        _interfaceIndex = interfaceIndex;
        _clock = clock;
        _random = random;
        _interfaces = interfaces;
        _output = output;
        _configuration = configuration;
    }

    public DhcpState State { get; private set; }

    /// <summary>The address that is leased; unspecified when none is.</summary>
    public IpAddress Address { get; private set; } = IpAddress.AnyV4;

    public ulong NextDeadlineNs { get; private set; } = NetworkClock.Never;

    /// <summary>Begins to look for a server.</summary>
    public void Start()
    {
        State = DhcpState.Selecting;
        _transaction = (uint)_random.Next();
        _startedNs = _clock.NowNs;
        _retryNs = FirstRetryNs;
        Send(DhcpMessageType.Discover);
        ScheduleRetry();
    }

    /// <summary>Takes a datagram to the client's port; false: not for this client.</summary>
    public bool TryReceive(scoped in IncomingPacket packet)
    {
        if (State == DhcpState.Off || packet.InterfaceIndex != _interfaceIndex
            || !UdpHeader.TryParse(packet.Payload, out UdpHeader header) || header.SourcePort != DhcpMessage.ServerPort
            || header.DestinationPort != DhcpMessage.ClientPort
            || !(header.Checksum == 0 || ChecksumField.IsIntact(header.Datagram, packet.Source, packet.Destination, IpProtocol.Udp))
            || !DhcpMessage.TryParse(header.Payload, out DhcpMessage message) || message.Transaction != _transaction
            || message.HardwareAddress != _interfaces[_interfaceIndex].HardwareAddress
            || !message.TryFind(DhcpOption.MessageType, out ReadOnlySpan<byte> type) || type.Length != 1)
        {
            return false;
        }

        switch (type[0])
        {
            case DhcpMessageType.Offer when State == DhcpState.Selecting:
                Accept(message);
                break;
            case DhcpMessageType.Acknowledge when State is DhcpState.Requesting or DhcpState.Renewing or DhcpState.Rebinding:
                Bind(message);
                break;
            case DhcpMessageType.NegativeAcknowledge when State is DhcpState.Requesting or DhcpState.Renewing or DhcpState.Rebinding:
                Unbind();
                Start();
                break;
            default:
                break;
        }

        return true;
    }

    /// <summary>Asks again, renews, or gives up.</summary>
    public void OnTime()
    {
        if (_clock.NowNs < NextDeadlineNs)
        {
            return;
        }

        switch (State)
        {
            case DhcpState.Selecting:
                Send(DhcpMessageType.Discover);
                ScheduleRetry();
                break;
            case DhcpState.Requesting:
                if (++_tries >= MaxRequests)
                {
                    Start();
                    break;
                }

                Send(DhcpMessageType.Request);
                ScheduleRetry();
                break;
            default:
                Renew();
                break;
        }
    }

    private void Renew()
    {
        if (_clock.NowNs >= _expireNs)
        {
            Unbind();
            Start();
            return;
        }

        if (State == DhcpState.Bound)
        {
            _transaction = (uint)_random.Next();
            _startedNs = _clock.NowNs;
        }

        State = _clock.NowNs >= _rebindNs ? DhcpState.Rebinding : DhcpState.Renewing;
        Send(DhcpMessageType.Request);

        // Half of the time that is left, at least a minute (RFC 2131, 4.4.5).
        ulong until = State == DhcpState.Renewing ? _rebindNs : _expireNs;
        NextDeadlineNs = Math.Min(until, _clock.NowNs + Math.Max((until - _clock.NowNs) / 2, ShortestRenewalNs));
    }

    private void Accept(scoped in DhcpMessage offer)
    {
        if (offer.YourAddress == 0 || !offer.TryFindUInt32(DhcpOption.ServerIdentifier, out _server))
        {
            return;
        }

        _offered = offer.YourAddress;
        _tries = 0;
        _retryNs = FirstRetryNs;
        State = DhcpState.Requesting;
        Send(DhcpMessageType.Request);
        ScheduleRetry();
    }

    private void Bind(scoped in DhcpMessage message)
    {
        IpAddress address = IpAddress.FromV4(message.YourAddress);
        if (address.IsUnspecified || address.IsMulticast || address.IsLoopback || address.IsLimitedBroadcast)
        {
            return;
        }

        if (!Address.IsUnspecified && !Address.Equals(address))
        {
            Unbind();
        }

        byte prefixLength = PrefixLengthOf(message);
        if (_configuration.Add(_interfaceIndex, address, prefixLength, isDynamic: true) is not (Errno.None or Errno.EEXIST))
        {
            return;
        }

        Address = address;
        if (message.TryFindUInt32(DhcpOption.Router, out uint router))
        {
            _configuration.SetRouter(_interfaceIndex, IpAddress.FromV4(router), RouteOrigin.Dhcp);
        }

        if (message.TryFind(DhcpOption.DomainNameServer, out ReadOnlySpan<byte> servers))
        {
            _configuration.SetNameServers(servers);
        }

        if (message.TryFindUInt32(DhcpOption.ServerIdentifier, out uint server))
        {
            _server = server;
        }

        SetTimes(message);
        State = DhcpState.Bound;
        NextDeadlineNs = _renewNs;
    }

    private void SetTimes(scoped in DhcpMessage message)
    {
        if (!message.TryFindUInt32(DhcpOption.LeaseTime, out uint lease))
        {
            lease = DefaultLeaseSeconds;
        }

        if (lease == Forever)
        {
            _renewNs = NetworkClock.Never;
            _rebindNs = NetworkClock.Never;
            _expireNs = NetworkClock.Never;
            return;
        }

        lease = Math.Max(lease, ShortestLeaseSeconds);
        bool hasRenewal = message.TryFindUInt32(DhcpOption.RenewalTime, out uint renewal);
        bool hasRebinding = message.TryFindUInt32(DhcpOption.RebindingTime, out uint rebinding);
        if (!hasRenewal || !hasRebinding || renewal > rebinding || rebinding > lease || renewal == 0)
        {
            renewal = lease / 2;
            rebinding = (uint)(lease * 7UL / 8);
        }

        _renewNs = _clock.NowNs + (renewal * NetworkClock.NsPerSecond);
        _rebindNs = _clock.NowNs + (rebinding * NetworkClock.NsPerSecond);
        _expireNs = _clock.NowNs + (lease * NetworkClock.NsPerSecond);
    }

    private void Unbind()
    {
        if (!Address.IsUnspecified)
        {
            _configuration.Remove(_interfaceIndex, Address);
            _configuration.RemoveRouters(_interfaceIndex, RouteOrigin.Dhcp);
            Address = IpAddress.AnyV4;
        }
    }

    private static byte PrefixLengthOf(scoped in DhcpMessage message)
    {
        if (message.TryFindUInt32(DhcpOption.SubnetMask, out uint mask))
        {
            int length = System.Numerics.BitOperations.PopCount(mask);
            if (length > 0 && mask == uint.MaxValue << (32 - length))
            {
                return (byte)length;
            }
        }

        // The class of the address (RFC 2132, 3.3 leaves it to the host).
        return message.YourAddress >> 31 == 0 ? (byte)8 : message.YourAddress >> 30 == 2 ? (byte)16 : (byte)24;
    }

    private void ScheduleRetry()
    {
        NextDeadlineNs = _clock.NowNs + _retryNs - (SpreadNs / 2) + _random.Below(SpreadNs);
        _retryNs = Math.Min(_retryNs * 2, LongestRetryNs);
    }

    private void Send(byte type)
    {
        bool isHeld = State is DhcpState.Renewing or DhcpState.Rebinding;
        Span<byte> message = stackalloc byte[MessageBytes];
        ulong seconds = Math.Min((_clock.NowNs - _startedNs) / NetworkClock.NsPerSecond, (ulong)ushort.MaxValue);
        ulong hardwareAddress = _interfaces[_interfaceIndex].HardwareAddress;
        DhcpMessage.WriteRequest(message, _transaction, (ushort)seconds, isHeld ? Address.V4 : 0, hardwareAddress);
        int length = WriteOptions(message, type, isHeld, hardwareAddress);

        OutgoingPacket packet = new(
            isHeld ? Address : IpAddress.AnyV4, IpAddress.FromV4(State == DhcpState.Renewing ? _server : Broadcast), IpProtocol.Udp);
        packet.InterfaceIndex = _interfaceIndex;
        packet.Fragments = FragmentPolicy.Always;
        packet.MayLackSource = true;
        if (_output.TryFindPath(packet, out IpPath path) != Errno.None)
        {
            return;
        }

        path.Source = packet.Source;
        message = message.Slice(0, length);
        Span<byte> header = stackalloc byte[UdpHeader.SizeBytes];
        UdpHeader.Write(header, DhcpMessage.ClientPort, DhcpMessage.ServerPort, message.Length);
        UdpHeader.WriteChecksum(header, path.Source, packet.Destination, message, default);
        _output.Send(packet, path, header, message, default);
    }

    private int WriteOptions(Span<byte> message, byte type, bool isHeld, ulong hardwareAddress)
    {
        int at = DhcpMessage.OptionsOffset;
        message[at++] = DhcpOption.MessageType;
        message[at++] = 1;
        message[at++] = type;
        message[at++] = DhcpOption.ClientIdentifier;
        message[at++] = 1 + MacAddress.SizeBytes;
        message[at++] = 1;
        MacAddress.Write(message.Slice(at), hardwareAddress);
        at += MacAddress.SizeBytes;
        if (type == DhcpMessageType.Request && !isHeld)
        {
            at += WriteAddress(message.Slice(at), DhcpOption.RequestedAddress, _offered);
            at += WriteAddress(message.Slice(at), DhcpOption.ServerIdentifier, _server);
        }

        ReadOnlySpan<byte> wanted =
        [
            DhcpOption.SubnetMask, DhcpOption.Router, DhcpOption.DomainNameServer, DhcpOption.LeaseTime, DhcpOption.RenewalTime,
            DhcpOption.RebindingTime,
        ];
        message[at++] = DhcpOption.ParameterRequestList;
        message[at++] = (byte)wanted.Length;
        wanted.CopyTo(message.Slice(at));
        at += wanted.Length;
        message[at++] = DhcpOption.End;
        return Math.Max(at, DhcpMessage.MinimumBytes);
    }

    private static int WriteAddress(Span<byte> to, byte option, uint address)
    {
        to[0] = option;
        to[1] = sizeof(uint);
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(2), address);
        return 2 + sizeof(uint);
    }
}
