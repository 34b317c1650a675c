// The network stack of one node: all its parts, made and connected in this order, and the ways in. It has no clock, no device and no
// thread: the owner says what time it is, gives it frames (OnFrame), lets it deliver what it has sent to itself (Poll), and calls OnTime
// when NextDeadlineNs has come. Frames leave through a FrameSink. Nothing blocks, nothing is allocated after boot but objects of slabs
// and page frames, all of them bounded. Callers hold the kernel lock.

using System;

namespace Lego.Kernel;

/// <summary>How much a stack may take.</summary>
public struct NetworkLimits
{
    /// <summary>Frames for TCP's buffers.</summary>
    public ulong TcpPages;
    /// <summary>Bytes of datagrams, fragments, packets that wait, and frames on the loopback interface.</summary>
    public ulong PacketBytes;
    public TcpLimits Tcp;
}

/// <summary>The stack.</summary>
public sealed unsafe partial class NetworkStack : TcpHost
{
    /// <summary>Frames of the loopback interface that one Poll delivers, so that two endpoints here cannot hold the CPU.</summary>
    private const int MaxLoopbackFrames = 64;

    private readonly PacketStore _packets;
    private readonly LinkSender _link;
    private readonly NeighbourOutput _neighbourOutput;
    private readonly Reassembly _reassembly;
    private readonly PathMtuCache _pathMtus;
    private readonly ArpInput _arp;
    private readonly Autoconfiguration _autoconfiguration;
    private readonly Ipv4Input _ipv4;
    private readonly Ipv6Input _ipv6;
    private readonly IpRouter _router;
    private readonly NetworkEvents _events;
    private readonly DhcpClient?[] _dhcp = new DhcpClient?[InterfaceTable.Capacity];
    private readonly byte* _loopbackFrame;
    private readonly ulong _loopbackFrameBytes;

    /// <summary>Made at boot.</summary>
    /// <param name="frames">Memory.</param>
    /// <param name="sink">Where frames go.</param>
    /// <param name="events">Who hears of changes.</param>
    /// <param name="limits">Bounds.</param>
    /// <param name="key0">Random numbers that nobody else knows.</param>
    /// <param name="key1">The same.</param>
    public NetworkStack(FrameAllocator frames, FrameSink sink, NetworkEvents events, NetworkLimits limits, ulong key0, ulong key1)
    {
        _events = events;
        Clock = new NetworkClock();
        Random = new NetworkRandom(key0, key1);
        Counters = new NetworkCounters();
        TransportDemux demux = new(this);

        Interfaces = new InterfaceTable();
        Addresses = new AddressTable();
        Routes = new RoutingTable();
        Groups = new GroupTable();
        NameServers = new NameServers();
        _packets = new PacketStore(frames, limits.PacketBytes);
        Frames = new PacketSockets(Interfaces);
        _link = new LinkSender(sink, Interfaces, _packets, Counters, Frames);
        Neighbours = new NeighbourTable(frames, Clock, Random, Interfaces, Counters, _packets);
        _neighbourOutput = new NeighbourOutput(_link, Neighbours, Interfaces, Addresses, _packets, Counters, demux);
        _pathMtus = new PathMtuCache(Clock, Random);
        _router = new IpRouter(Interfaces, Addresses, Routes, _pathMtus);
        Output = new IpOutput(_router, _neighbourOutput, _link, Interfaces, Groups, Counters, Random);
        Memberships = new GroupMembership(Clock, Random, Groups, Interfaces, Output, Counters);
        _autoconfiguration = new Autoconfiguration(
            Clock, Random, Interfaces, Addresses, Routes, Memberships, _neighbourOutput, NameServers, Counters);
        _arp = new ArpInput(Clock, Interfaces, Addresses, Neighbours, _neighbourOutput);
        Configuration = new AddressConfiguration(Addresses, Routes, Interfaces, _autoconfiguration, NameServers, _arp);
        Errors = new IcmpErrors(Output, Addresses, Counters, new IcmpRateLimit(Clock, Random));
        IcmpEcho echo = new(Output, Counters);
        NeighbourDiscovery discovery = new(
            Clock, Interfaces, Addresses, Neighbours, _neighbourOutput, Routes, _autoconfiguration, Counters);
        Icmpv4 = new Icmpv4Input(echo, Addresses, Interfaces, _pathMtus, Counters, demux);
        Icmpv6 = new Icmpv6Input(echo, Addresses, Interfaces, _pathMtus, Counters, demux, discovery, Memberships);
        _reassembly = new Reassembly(frames, Clock, Counters, _packets);
        _ipv4 = new Ipv4Input(Interfaces, Addresses, Groups, _reassembly, Errors, Counters, demux);
        _ipv6 = new Ipv6Input(Interfaces, Addresses, Groups, _reassembly, Errors, Counters, demux);
        Endpoints = new DatagramEndpoints(frames, Clock, _packets, events);
        Joins = new GroupJoins(frames, Memberships);
        Udp = new Udp(Endpoints, Addresses, Output, Counters, Random);
        Ping = new PingSockets(Endpoints, Addresses, Output, Counters, Random);
        Raw = new RawSockets(Endpoints, Addresses, Output);
        Frames.Attach(Endpoints, _link);
        Tcp = new Tcp(frames, new NetworkMemory(frames, limits.TcpPages), this, limits.Tcp, Random.Next(), Random.Next());

        const ulong pages = (NetworkInterface.LoopbackMtuBytes / PageOperations.PageSize) + 1;
        _loopbackFrameBytes = pages * PageOperations.PageSize;
        _loopbackFrame = (byte*)frames.AllocateContiguous(pages);
        if (_loopbackFrame == null)
        {
            Panic.Because("NetworkStack: no memory for one packet at boot");
        }

        Configuration.Add(InterfaceTable.LoopbackIndex, IpAddress.FromV4(0x7F000001), 8, isDynamic: false);
        Configuration.Add(InterfaceTable.LoopbackIndex, IpAddress.FromV6(0, 1), 128, isDynamic: false);
    }

    public NetworkClock Clock { get; }

    public NetworkRandom Random { get; }

    public NetworkCounters Counters { get; }

    public InterfaceTable Interfaces { get; }

    public AddressTable Addresses { get; }

    public RoutingTable Routes { get; }

    public NeighbourTable Neighbours { get; }

    public GroupTable Groups { get; }

    public NameServers NameServers { get; }

    public GroupMembership Memberships { get; }

    public AddressConfiguration Configuration { get; }

    public IpOutput Output { get; }

    public DatagramEndpoints Endpoints { get; }

    public GroupJoins Joins { get; }

    public Udp Udp { get; }

    public PingSockets Ping { get; }

    public RawSockets Raw { get; }

    public PacketSockets Frames { get; }

    public Tcp Tcp { get; }

    /// <summary>Memory of all kept packets.</summary>
    public ulong PacketBytesInUse => _packets.BytesInUse;

    internal IcmpErrors Errors { get; }

    internal Icmpv4Input Icmpv4 { get; }

    internal Icmpv6Input Icmpv6 { get; }

    /// <summary>
    /// When <see cref="OnTime"/> or <see cref="Poll"/> has something to do; NetworkClock.Never = not before something else happens.
    /// </summary>
    public ulong NextDeadlineNs
    {
        get
        {
            if (_link.HasLoopback)
            {
                return Clock.NowNs;
            }

            ulong next = Math.Min(Tcp.NextDeadlineNs, Neighbours.NextDeadlineNs);
            next = Math.Min(next, _reassembly.NextDeadlineNs);
            next = Math.Min(next, _autoconfiguration.NextDeadlineNs);
            next = Math.Min(next, Memberships.NextDeadlineNs);
            for (int index = 0; index <= Interfaces.LastIndex; index++)
            {
                DhcpClient? client = _dhcp[index];
                next = client != null ? Math.Min(next, client.NextDeadlineNs) : next;
            }

            return next;
        }
    }

    /// <summary>Adds a card's interface and makes its IPv6 addresses; its index, 0 when there are too many.</summary>
    public int AddInterface(ulong hardwareAddress, int mtuBytes, ulong nowNs)
    {
        Clock.NowNs = nowNs;
        int index = Interfaces.AddEthernet(hardwareAddress, mtuBytes);
        if (index != 0)
        {
            _autoconfiguration.Start(index);
        }

        return index;
    }

    /// <summary>The card's carrier has come or gone; when it comes, routers are asked for again.</summary>
    public void SetCarrier(int interfaceIndex, bool hasCarrier, ulong nowNs)
    {
        Clock.NowNs = nowNs;
        ref NetworkInterface link = ref Interfaces[interfaceIndex];
        bool comes = hasCarrier && !link.HasCarrier;
        link.HasCarrier = hasCarrier;
        if (comes)
        {
            _autoconfiguration.Start(interfaceIndex);
            DhcpClient? client = _dhcp[interfaceIndex];
            if (client != null && client.State is DhcpState.Selecting)
            {
                client.Start();
            }
        }
    }

    /// <summary>Gets an IPv4 address by DHCP. Boot time: the client is made here.</summary>
    public DhcpClient StartDhcp(int interfaceIndex, ulong nowNs)
    {
        Clock.NowNs = nowNs;
        DhcpClient client = new(interfaceIndex, Clock, Random, Interfaces, Output, Configuration);
        _dhcp[interfaceIndex] = client;
        client.Start();
        return client;
    }

    /// <summary>Takes a frame from a card.</summary>
    [NoBlock]
    [NoAllocation]
    public void OnFrame(int interfaceIndex, ReadOnlySpan<byte> frame, ulong nowNs)
    {
        Clock.NowNs = nowNs;
        if (!Interfaces.Exists(interfaceIndex) || !Interfaces[interfaceIndex].IsUp)
        {
            return;
        }

        ref InterfaceCounters counters = ref Interfaces[interfaceIndex].Counters;
        counters.ReceivedPackets++;
        counters.ReceivedBytes += (ulong)frame.Length;
        Receive(interfaceIndex, frame);
    }

    /// <summary>Delivers frames that this node has sent to itself; true: there are more.</summary>
    [NoBlock]
    [NoAllocation]
    public bool Poll(ulong nowNs)
    {
        Clock.NowNs = nowNs;
        for (int count = 0; count < MaxLoopbackFrames && _link.HasLoopback; count++)
        {
            Packet* packet = _link.TakeLoopback();
            ref InterfaceCounters counters = ref Interfaces[packet->InterfaceIndex].Counters;
            if (packet->InterfaceIndex == InterfaceTable.LoopbackIndex)
            {
                counters.ReceivedPackets++;
                counters.ReceivedBytes += (ulong)packet->Length;
            }

            ReadOnlySpan<byte> frame = packet->PieceAt(0);
            if (frame.Length < packet->Length)
            {
                Span<byte> whole = new(_loopbackFrame, (int)_loopbackFrameBytes);
                frame = whole.Slice(0, packet->CopyTo(0, whole));
            }

            Receive(packet->InterfaceIndex, frame);
            _packets.Release(packet);
        }

        return _link.HasLoopback;
    }

    /// <summary>Does what is due.</summary>
    [NoBlock]
    [NoAllocation]
    public void OnTime(ulong nowNs)
    {
        Clock.NowNs = nowNs;
        Tcp.OnTime(nowNs);
        Neighbours.OnTime(_neighbourOutput);
        _autoconfiguration.OnTime();
        Memberships.OnTime();
        for (int index = 0; index <= Interfaces.LastIndex; index++)
        {
            _dhcp[index]?.OnTime();
        }

        while (_reassembly.TryTakeExpired(out ExpiredReassembly expired))
        {
            if (expired.First == null)
            {
                continue;
            }

            if (expired.Source.IsV4)
            {
                _ipv4.ReportExpired(expired);
            }
            else
            {
                _ipv6.ReportExpired(expired);
            }

            _packets.Release(expired.First);
        }
    }

    /// <summary>Adds the counters, net.* and tcp.*.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        Counters.Report(ref writer);
        writer.Add("net.packet_bytes"u8, _packets.BytesInUse);
        writer.Add("net.neighbours"u8, Neighbours.Count);
        writer.Add("net.endpoints"u8, Endpoints.Count);
        Tcp.Report(ref writer);
    }

    internal bool TryReceiveDhcp(scoped in IncomingPacket packet)
    {
        DhcpClient? client = _dhcp[packet.InterfaceIndex];
        return client != null && client.TryReceive(packet);
    }

    private void Receive(int interfaceIndex, ReadOnlySpan<byte> frame)
    {
        if (!EthernetHeader.TryParse(frame, out EthernetHeader header))
        {
            Counters.FramesIgnored++;
            return;
        }

        LinkPacketType type = TypeOf(interfaceIndex, header.Destination);
        Frames.OnReceived(interfaceIndex, frame, type);
        if (type == LinkPacketType.OtherHost)
        {
            Counters.FramesIgnored++;
            return;
        }

        bool isToMany = type is LinkPacketType.Broadcast or LinkPacketType.Multicast;
        Interfaces[interfaceIndex].Counters.ReceivedGroupPackets += isToMany ? 1UL : 0;
        switch (header.EtherType)
        {
            case EtherType.Ipv4:
                _ipv4.Receive(interfaceIndex, isToMany, header.Payload);
                break;
            case EtherType.Ipv6:
                _ipv6.Receive(interfaceIndex, isToMany, header.Payload);
                break;
            case EtherType.Arp when Interfaces[interfaceIndex].Kind == InterfaceKind.Ethernet:
                Counters.FramesIgnored += _arp.TryReceive(interfaceIndex, header.Payload) ? 0UL : 1;
                break;
            default:
                Counters.FramesIgnored++;
                break;
        }
    }

    private LinkPacketType TypeOf(int interfaceIndex, ulong destination)
    {
        if (destination == MacAddress.Broadcast)
        {
            return LinkPacketType.Broadcast;
        }

        if (MacAddress.IsGroup(destination))
        {
            return LinkPacketType.Multicast;
        }

        return destination == Interfaces[interfaceIndex].HardwareAddress ? LinkPacketType.Host : LinkPacketType.OtherHost;
    }
}
