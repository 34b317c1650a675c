// One Tcp of ours with a stranger on the other side: what ours sends is taken apart, and what the stranger sends is built, by PacketDotNet.
// Time stands still until a test moves it.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;
using Lego.Tests.Common;
using PacketDotNet;
using PacketDotNet.Utils;
using Xunit;
using IPAddress = System.Net.IPAddress;

namespace Lego.Tests.Network;

/// <summary>A segment that ours has sent, as the library reads it.</summary>
public sealed record Sent(TcpPacket Packet, uint Ecn, IpAddress Source, IpAddress Destination)
{
    public uint Sequence => Packet.SequenceNumber;

    public uint Acknowledgment => Packet.AcknowledgmentNumber;

    public int Window => Packet.WindowSize;

    public byte[] Payload => Packet.PayloadData ?? [];

    /// <summary>The control bits, as letters: "SA", "AP", "R".</summary>
    public string Flags => string.Concat(
        Packet.Synchronize ? "S" : "",
        Packet.Finished ? "F" : "",
        Packet.Reset ? "R" : "",
        Packet.Acknowledgment ? "A" : "",
        Packet.Push ? "P" : "",
        Packet.Urgent ? "U" : "",
        Packet.ExplicitCongestionNotificationEcho ? "E" : "",
        Packet.CongestionWindowReduced ? "C" : "");

    /// <summary>The bytes of an option's value, or null.</summary>
    public byte[]? Option(int kind)
    {
        byte[] options = Packet.Bytes[20..(Packet.DataOffset * 4)];
        for (int at = 0; at < options.Length && options[at] != 0; at += options[at] == 1 ? 1 : options[at + 1])
        {
            if (options[at] == kind)
            {
                return options[(at + 2)..(at + options[at + 1])];
            }
        }

        return null;
    }

    /// <summary>The blocks of a SACK option.</summary>
    public (uint Left, uint Right)[] SackBlocks
    {
        get
        {
            byte[] value = Option(5) ?? [];
            return Enumerable.Range(0, value.Length / 8).Select(index => (Word(value, index * 8), Word(value, (index * 8) + 4))).ToArray();
        }
    }

    private static uint Word(byte[] bytes, int at) =>
        ((uint)bytes[at] << 24) | ((uint)bytes[at + 1] << 16) | ((uint)bytes[at + 2] << 8) | bytes[at + 3];
}

/// <summary>The layers below and above: keeps what is sent.</summary>
public sealed unsafe class RecordingHost : TcpHost
{
    public List<Sent> Segments { get; } = [];

    public HashSet<nint> ChangedConnections { get; } = [];

    public int Limit { get; set; } = 1460;

    public bool IsFull { get; set; }

    public override bool Send(TcpConnection* connection, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, uint ecn)
    {
        if (IsFull)
        {
            return false;
        }

        byte[] bytes = [.. header, .. a, .. b];
        Add(connection->Local.Address, connection->Remote.Address, bytes, ecn);
        return true;
    }

    public override void SendBare(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment) =>
        Add(source, destination, segment.ToArray(), 0);

    public override int PayloadLimit(IpAddress source, IpAddress destination, uint interfaceIndex) => Limit;

    public override bool TrySourceFor(IpAddress destination, uint interfaceIndex, out IpAddress source)
    {
        source = TcpFixture.OurAddress(destination.IsV4);
        return true;
    }

    public override bool CompletesChecksum(TcpConnection* connection) => false;

    public override void Changed(TcpConnection* connection) => ChangedConnections.Add((nint)connection);

    private void Add(IpAddress source, IpAddress destination, byte[] bytes, uint ecn)
    {
        TcpPacket packet = new(new ByteArraySegment(bytes));
        IPPacket parent = TcpFixture.LibraryPacket(source, destination);
        parent.PayloadPacket = packet;
        Assert.True(packet.ValidTcpChecksum, "checksum");
        Segments.Add(new Sent(packet, ecn, source, destination));
    }
}

/// <summary>Ours, the stranger, and the clock.</summary>
public sealed unsafe class TcpFixture : IDisposable
{
    public const ushort OurPort = 80;
    public const ushort TheirPort = 40000;
    public const uint TheirSequence = 5000;
    public const ulong Millisecond = 1_000_000;
    public const ulong Second = 1_000_000_000;

    private readonly HostFrames _frames = new(32);
    private readonly ulong _freeAtStart;
    private int _taken;

    public TcpFixture(bool isV4 = true, ulong memoryPages = 4096)
    {
        IsV4 = isV4;
        _freeAtStart = _frames.Allocator.FreePages;
        Memory = new NetworkMemory(_frames.Allocator, memoryPages);
        Tcp = new Lego.Kernel.Tcp(_frames.Allocator, Memory, Host,
            new TcpLimits { Connections = 64, ReceiveBufferBytes = 1 << 20, SendBufferBytes = 1 << 20 }, 1, 2);
    }

    public bool IsV4 { get; }

    public ulong Now { get; set; } = 1000 * Second;

    public RecordingHost Host { get; } = new();

    public NetworkMemory Memory { get; }

    public Lego.Kernel.Tcp Tcp { get; }

    public TcpConnection* Connection { get; private set; }

    /// <summary>The next sequence number of the stranger, and what it has received of ours.</summary>
    public uint PeerNext { get; set; } = TheirSequence;

    public uint OursNext { get; set; }

    /// <summary>By which interface segments come: the loopback's unless a test says otherwise.</summary>
    public uint Interface { get; set; } = InterfaceTable.LoopbackIndex;

    public ushort PeerPort { get; set; } = TheirPort;

    /// <summary>The stranger uses timestamps: its clock, and ours as it saw it last.</summary>
    public bool HasTimestamps { get; private set; }

    public uint PeerClock { get; set; } = 100;

    public uint Echo { get; set; }

    public static IpAddress OurAddress(bool isV4) => isV4 ? IpAddress.FromV4(0x0A00020F) : IpAddress.FromV6(0xFD00000000000000, 0xF);

    public static IpAddress TheirAddress(bool isV4) => isV4 ? IpAddress.FromV4(0x0A000202) : IpAddress.FromV6(0xFD00000000000000, 2);

    public static IPPacket LibraryPacket(IpAddress source, IpAddress destination) => source.IsV4
        ? new IPv4Packet(Library(source), Library(destination))
        : new IPv6Packet(Library(source), Library(destination));

    /// <summary>Segments sent since the last call.</summary>
    public Sent[] Take()
    {
        Sent[] segments = Host.Segments.Skip(_taken).ToArray();
        _taken = Host.Segments.Count;
        return segments;
    }

    /// <summary>The only segment sent since the last call.</summary>
    public Sent TakeOne() => Assert.Single(Take());

    /// <summary>The stranger sends a segment.</summary>
    public void Give(string flags, uint sequence, uint acknowledgment, byte[]? payload = null, int window = 65535, byte[]? options = null,
        int urgent = 0, uint ecn = 0)
    {
        TcpPacket packet = new(PeerPort, OurPortOf())
        {
            SequenceNumber = sequence,
            AcknowledgmentNumber = acknowledgment,
            WindowSize = (ushort)window,
            Synchronize = flags.Contains('S'),
            Finished = flags.Contains('F'),
            Reset = flags.Contains('R'),
            Acknowledgment = flags.Contains('A'),
            Push = flags.Contains('P'),
            Urgent = flags.Contains('U'),
            ExplicitCongestionNotificationEcho = flags.Contains('E'),
            CongestionWindowReduced = flags.Contains('C'),
            UrgentPointer = urgent,
        };
        byte[]? added = options ?? (HasTimestamps && !flags.Contains('S') ? Timestamps() : null);
        byte[] header = packet.Bytes;
        if (added != null)
        {
            header = [.. header, .. added, .. new byte[(4 - (added.Length % 4)) % 4]];
            header[12] = (byte)((header.Length / 4) << 4);
        }

        TcpPacket whole = new(new ByteArraySegment([.. header, .. payload ?? []]));
        LibraryPacket(TheirAddress(IsV4), OurAddress(IsV4)).PayloadPacket = whole;
        whole.UpdateTcpChecksum();
        Tcp.OnSegment(TheirAddress(IsV4), OurAddress(IsV4), Interface, whole.Bytes, ecn, SegmentChecksum.Unverified, Now);
    }

    public byte[] Timestamps() => [1, 1, 8, 10, .. Big(PeerClock), .. Big(Echo)];

    public static byte[] Big(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    public static byte[] Sack(params (uint Left, uint Right)[] blocks) =>
        [1, 1, 5, (byte)(2 + (8 * blocks.Length)), .. blocks.SelectMany(block => (byte[])[.. Big(block.Left), .. Big(block.Right)])];

    /// <summary>Moves the clock; timers that are due on the way fire at their time.</summary>
    public void Wait(ulong nanoseconds)
    {
        ulong end = Now + nanoseconds;
        while (Tcp.NextDeadlineNs <= end)
        {
            Now = Math.Max(Now, Tcp.NextDeadlineNs);
            Tcp.OnTime(Now);
        }

        Now = end;
    }

    /// <summary>A listener.</summary>
    public TcpConnection* Listen(int backlog = 8)
    {
        TcpConnection* listener = Tcp.Create(IsV4 ? IpAddress.AnyV4 : default);
        SocketAddress address = new(OurAddress(IsV4), OurPort);
        Assert.Equal(Errno.None, Tcp.Bind(listener, in address));
        Assert.Equal(Errno.None, Tcp.Listen(listener, backlog));
        return listener;
    }

    /// <summary>Connects to the stranger: SYN-SENT.</summary>
    public TcpConnection* Connect()
    {
        Connection = Tcp.Create(IsV4 ? IpAddress.AnyV4 : default);
        SocketAddress local = new(OurAddress(IsV4), OurPort);
        Assert.Equal(Errno.None, Tcp.Bind(Connection, in local));
        SocketAddress remote = new(TheirAddress(IsV4), TheirPort);
        Assert.Equal(Errno.EINPROGRESS, Tcp.Connect(Connection, in remote, Now));
        OursNext = Connection->Iss + 1;
        return Connection;
    }

    /// <summary>An established connection that began here. Options: the stranger's SYN-ACK's.</summary>
    public TcpConnection* Establish(byte[]? options = null, int window = 65535, string flags = "SA")
    {
        Connect();
        HasTimestamps = HasOption(options, 8);
        Give(flags, TheirSequence, OursNext, window: window, options: options);
        PeerNext = TheirSequence + 1;
        Assert.Equal(TcpState.Established, Connection->State);
        Take();
        return Connection;
    }

    /// <summary>The user's write, all of which must find room.</summary>
    public void Write(byte[] bytes, TcpTransfer how = TcpTransfer.None)
    {
        Assert.Equal(Errno.None, Tcp.Write(Connection, bytes, how, Now, out int count));
        Assert.Equal(bytes.Length, count);
    }

    public void Write(int bytes) => Write(Bytes(bytes));

    /// <summary>The user's read of all that is there.</summary>
    public byte[] Read(int limit = 1 << 20)
    {
        byte[] bytes = new byte[limit];
        Tcp.Read(Connection, bytes, TcpTransfer.None, Now, out int count);
        return bytes[..count];
    }

    /// <summary>The stranger acknowledges everything up to a number.</summary>
    public void Ack(uint acknowledgment, int window = 65535, byte[]? options = null) =>
        Give("A", PeerNext, acknowledgment, window: window, options: options);

    /// <summary>The stranger sends the next bytes.</summary>
    public void Data(byte[] bytes, string flags = "AP")
    {
        Give(flags, PeerNext, OursNext, bytes);
        PeerNext += (uint)bytes.Length;
    }

    public static byte[] Bytes(int count, int first = 0)
    {
        byte[] bytes = new byte[count];
        for (int index = 0; index < count; index++)
        {
            bytes[index] = (byte)((index + first) * 7);
        }

        return bytes;
    }

    public void Dispose() => _frames.Dispose();

    private static bool HasOption(byte[]? options, int kind)
    {
        for (int at = 0; options != null && at < options.Length && options[at] != 0; at += options[at] == 1 ? 1 : options[at + 1])
        {
            if (options[at] == kind)
            {
                return true;
            }
        }

        return false;
    }

    private ushort OurPortOf() => Connection == null ? OurPort : Connection->Local.Port;

    private static IPAddress Library(IpAddress address)
    {
        byte[] bytes = new byte[address.IsV4 ? 4 : 16];
        if (address.IsV4)
        {
            address.WriteV4(bytes);
        }
        else
        {
            address.WriteV6(bytes);
        }

        return new IPAddress(bytes);
    }
}
