// The network stack judged as a library: frames and time in, frames out, sockets by its C interface. A stranger's frames are built and
// taken apart by PacketDotNet.

using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using System.Text;
using PacketDotNet;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class NetStackLibraryTests : IDisposable
{
    private const uint Bytes = 16 << 20;
    private const int Stream = 1;
    private const int Datagram = 2;
    private const int WouldBlock = -11;
    private const int InProgress = -115;
    private const int BadDescriptor = -9;
    private const int Established = 1;
    private const ulong Millisecond = 1_000_000;

    private static readonly PhysicalAddress s_peerCard = new([2, 0, 0, 0, 0, 9]);
    private static readonly PhysicalAddress s_nobody = new(new byte[6]);
    private static readonly PhysicalAddress s_card = new([2, 0, 0, 0, 0, 1]);
    private static readonly IPAddress s_own = IPAddress.Parse("10.0.0.1");
    private static readonly IPAddress s_peer = IPAddress.Parse("10.0.0.9");

    private readonly void* _memory = NativeMemory.AlignedAlloc(2 * Bytes, 4096);
    private readonly nint _node;
    private readonly nint _other;
    private ulong _now = 1000 * Millisecond;

    public NetStackLibraryTests()
    {
        _node = Node(0, 1, seed: 7);
        _other = Node(1, 2, seed: 8);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [Fact]
    public void A_stranger_shakes_hands_greets_and_leaves()
    {
        int listener = Listener(_node, 80);
        Announce(_node);
        Give(new TcpPacket(5000, 80) { Synchronize = true, SequenceNumber = 100, WindowSize = 8000 });
        TcpPacket answer = Take();
        Assert.True(answer.Synchronize && answer.Acknowledgment);
        Assert.Equal(101u, answer.AcknowledgmentNumber);
        Assert.Equal(WouldBlock, NetStackLibrary.Accept(_node, listener, _now));

        uint next = answer.SequenceNumber + 1;
        Give(Segment(101, next));
        int accepted = NetStackLibrary.Accept(_node, listener, _now);
        Assert.True(accepted >= 0);
        Assert.Equal(Established, NetStackLibrary.State(_node, accepted));
        Assert.Equal(WouldBlock, Receive(accepted, out _));
        TcpPacket greeting = Segment(101, next);
        greeting.PayloadData = "hello"u8.ToArray();
        Give(greeting);
        Assert.Equal(5, Receive(accepted, out string text));
        Assert.Equal("hello", text);
        Assert.Equal(106u, Take().AcknowledgmentNumber);

        Assert.Equal(2, Send(accepted, "ho"));
        TcpPacket reply = Take();
        Assert.Equal("ho"u8.ToArray(), reply.PayloadData);
        Assert.Equal(next, reply.SequenceNumber);

        // Nobody acknowledges: it comes again when its time has come, and not before.
        NetStackLibrary.Advance(_node, _now += Millisecond);
        Assert.Null(TakeOrNull());
        Assert.True(NetStackLibrary.Deadline(_node) > _now);
        NetStackLibrary.Advance(_node, _now += 3000 * Millisecond);
        Assert.Equal(next, Take().SequenceNumber);

        while (TakeOrNull() != null)
        {
        }

        TcpPacket end = Segment(106, next + 2);
        end.Finished = true;
        Give(end);
        Assert.Equal(0, Receive(accepted, out _));
        Assert.Equal(0, NetStackLibrary.Close(_node, accepted, 0, _now));
        while (TakeOrNull() is TcpPacket packet)
        {
            Assert.Equal(107u, packet.AcknowledgmentNumber);
            end = packet;
        }

        Assert.True(end.Finished);
        Assert.Equal(BadDescriptor, NetStackLibrary.State(_node, accepted));
    }

    [Fact]
    public void Two_nodes_exchange_a_megabyte_though_every_seventh_frame_is_lost()
    {
        int listener = Listener(_other, 80);
        int client = NetStackLibrary.Socket(_node, 4, Stream, 0, _now);
        Assert.Equal(InProgress, NetStackLibrary.Connect(_node, client, LegoAddress.Of(IPAddress.Parse("10.0.0.2"), 80), _now));
        byte[] sent = new byte[1 << 20];
        new Random(5).NextBytes(sent);
        MemoryStream received = new();
        byte[] buffer = new byte[65536];
        int server = -1;
        int done = 0;
        int frames = 0;
        for (int step = 0; step < 200_000 && received.Length < sent.Length; step++)
        {
            _now += Millisecond;
            frames = Carry(frames);
            server = server < 0 ? NetStackLibrary.Accept(_other, listener, _now) : server;
            fixed (byte* from = sent, to = buffer)
            {
                long count = NetStackLibrary.Send(_node, client, from + done, (uint)(sent.Length - done), 0, null, _now);
                done += (int)Math.Max(count, 0);
                count = server < 0 ? 0 : NetStackLibrary.Receive(_other, server, to, (uint)buffer.Length, 0, null, _now);
                received.Write(buffer, 0, (int)Math.Max(count, 0));
            }
        }

        Assert.Equal(sent, received.ToArray());
        Assert.DoesNotContain("tcp.retransmits 0\n", CountersOf(_node), StringComparison.Ordinal);
    }

    [Fact]
    public void Equal_seeds_and_calls_give_equal_frames()
    {
        byte[] first = FirstSegment(seed: 5);
        Assert.Equal(first, FirstSegment(seed: 5));
        Assert.NotEqual(first, FirstSegment(seed: 6));
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        byte* card = stackalloc byte[6];
        Assert.Equal(0, NetStackLibrary.CreateNode(_memory, 1 << 20, card, 1500, 1, _now));
        Assert.Equal(0, NetStackLibrary.CreateNode((byte*)_memory + 1, Bytes, card, 1500, 1, _now));
        Assert.Equal(0, NetStackLibrary.CreateNode(_memory, Bytes, card, 500, 1, _now));
        Assert.Equal(BadDescriptor, NetStackLibrary.Listen(_node, -1, 4));
        Assert.Equal(BadDescriptor, NetStackLibrary.Poll(_node, 4096));
        Assert.Equal(-22, NetStackLibrary.Socket(_node, 5, Stream, 0, _now));
        int datagrams = NetStackLibrary.Socket(_node, 4, Datagram, 0, _now);
        Assert.Equal(-95, NetStackLibrary.Listen(_node, datagrams, 4));
        Assert.Equal(-99, NetStackLibrary.Bind(_node, NetStackLibrary.Socket(_node, 4, Stream, 0, _now), LegoAddress.Of(s_peer, 80)));
        int sockets = 2;
        while (NetStackLibrary.Socket(_node, 4, Datagram, 0, _now) >= 0)
        {
            sockets++;
        }

        Assert.InRange(sockets, 1000, 4096);
    }

    [Fact]
    public void The_example_prints_what_the_documentation_shows()
    {
        string folder = Path.Combine(NetStackLibrary.Root, "out", "netstack");
        string program = Path.Combine(folder, "example");
        Assert.Equal("", Run("gcc", "-Wall", "-o", program, Path.Combine(NetStackLibrary.Root, "tools", "netstack", "example.c"),
            "-I", folder, "-L", folder, "-lnetstack", $"-Wl,-rpath,{folder}"));
        string documentation = File.ReadAllText(Path.Combine(NetStackLibrary.Root, "docs", "network.md"));
        Assert.Contains(Run(program), documentation, StringComparison.Ordinal);
    }

    private nint Node(int index, byte number, ulong seed)
    {
        byte* card = stackalloc byte[6];
        card[0] = 2;
        card[5] = number;
        nint node = NetStackLibrary.CreateNode((byte*)_memory + (index * Bytes), Bytes, card, 1500, seed, _now);
        Assert.NotEqual(0, node);
        Assert.Equal(0, NetStackLibrary.AddAddress(node, LegoAddress.Of(new IPAddress([10, 0, 0, number])), 24, _now));
        return node;
    }

    private int Listener(nint node, ushort port)
    {
        int listener = NetStackLibrary.Socket(node, 4, Stream, 0, _now);
        Assert.Equal(0, NetStackLibrary.Bind(node, listener, LegoAddress.Of(IPAddress.Any, port)));
        Assert.Equal(0, NetStackLibrary.Listen(node, listener, 4));
        return listener;
    }

    /// <summary>A node hears where the stranger is, and what it has sent until then is thrown away.</summary>
    private void Announce(nint node)
    {
        GiveFrame(node, new EthernetPacket(s_peerCard, s_card, EthernetType.Arp)
        {
            PayloadPacket = new ArpPacket(ArpOperation.Request, s_nobody, s_own, s_peerCard, s_peer),
        }.Bytes);
        while (TakeFrame(node) != null)
        {
        }
    }

    private static TcpPacket Segment(uint sequence, uint acknowledgment) => new(5000, 80)
    {
        Acknowledgment = true,
        SequenceNumber = sequence,
        AcknowledgmentNumber = acknowledgment,
        WindowSize = 8000,
    };

    private void Give(TcpPacket segment)
    {
        IPv4Packet packet = new(s_peer, s_own) { PayloadPacket = segment, TimeToLive = 64 };
        segment.UpdateTcpChecksum();
        packet.UpdateIPChecksum();
        GiveFrame(_node, new EthernetPacket(s_peerCard, s_card, EthernetType.IPv4) { PayloadPacket = packet }.Bytes);
    }

    private void GiveFrame(nint node, byte[] frame)
    {
        fixed (byte* start = frame)
        {
            NetStackLibrary.Input(node, start, (uint)frame.Length, _now);
        }
    }

    private TcpPacket Take() => Assert.IsType<TcpPacket>(TakeOrNull());

    /// <summary>The next segment that the node has sent to the stranger, whose frames are the only ones that are looked at.</summary>
    private TcpPacket? TakeOrNull()
    {
        while (TakeFrame(_node) is byte[] frame)
        {
            TcpPacket? segment = Packet.ParsePacket(LinkLayers.Ethernet, frame).Extract<TcpPacket>();
            if (segment != null)
            {
                Assert.True(segment.ValidTcpChecksum);
                return segment;
            }
        }

        return null;
    }

    private static byte[]? TakeFrame(nint node)
    {
        byte[] buffer = new byte[2048];
        fixed (byte* start = buffer)
        {
            int length = NetStackLibrary.Output(node, start, (uint)buffer.Length);
            return length > 0 ? buffer[..length] : null;
        }
    }

    private int Carry(int frames)
    {
        foreach ((nint from, nint to) in ((nint, nint)[])[(_node, _other), (_other, _node)])
        {
            NetStackLibrary.Advance(from, _now);
            while (TakeFrame(from) is byte[] frame)
            {
                frames++;
                if (frames % 7 != 0)
                {
                    GiveFrame(to, frame);
                }
            }
        }

        return frames;
    }

    private long Receive(int socket, out string text)
    {
        byte[] buffer = new byte[100];
        fixed (byte* start = buffer)
        {
            long count = NetStackLibrary.Receive(_node, socket, start, (uint)buffer.Length, 0, null, _now);
            text = Encoding.ASCII.GetString(buffer, 0, (int)Math.Max(count, 0));
            return count;
        }
    }

    private long Send(int socket, string text)
    {
        fixed (byte* start = Encoding.ASCII.GetBytes(text))
        {
            return NetStackLibrary.Send(_node, socket, start, (uint)text.Length, 0, null, _now);
        }
    }

    /// <summary>The SYN of a node's first connection, to a neighbour that it has heard of.</summary>
    private byte[] FirstSegment(ulong seed)
    {
        nint node = Node(1, 1, seed);
        Announce(node);
        int client = NetStackLibrary.Socket(node, 4, Stream, 0, _now);
        NetStackLibrary.Connect(node, client, LegoAddress.Of(s_peer, 80), _now);
        byte[]? frame = TakeFrame(node);
        Assert.NotNull(frame);
        return frame;
    }

    private static string CountersOf(nint node)
    {
        byte[] text = new byte[16384];
        fixed (byte* start = text)
        {
            return Encoding.ASCII.GetString(text, 0, (int)NetStackLibrary.Counters(node, start, (uint)text.Length));
        }
    }

    private static string Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output;
    }
}
