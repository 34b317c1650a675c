// Floods of segments from a stranger on the link: SYNs, acknowledgments, resets and text with guessed numbers. An established connection
// goes on, connections and memory stay bounded, and what was dropped is counted (RFC 4987, RFC 5961).

using System;
using System.Globalization;
using System.Linq;
using System.Net;
using System.Text;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class TcpFloodTests
{
    private const ushort Port = 80;
    private const int Backlog = 8;
    private const int Count = 20_000;
    private const int PerEcho = 100;

    /// <summary>The listener, both connections of the conversation, and what is half-open (twice the backlog at most).</summary>
    private const ulong MostConnections = 2 + (2 * Backlog);

    /// <summary>Buffers of a conversation that sends some bytes and takes them back.</summary>
    private const ulong MostPages = 16;

    [Theory]
    [InlineData("SYN", "tcp.cookies_sent")]
    [InlineData("ACK", "tcp.resets_out")]
    [InlineData("RST", "tcp.drop.out_of_window")]
    [InlineData("RST in the window", "tcp.challenges_suppressed")]
    [InlineData("SYN of the connection", "tcp.challenges_suppressed")]
    [InlineData("text of the connection", "tcp.drop.out_of_window")]
    [InlineData("acknowledgments of the connection", "tcp.drop.acknowledgment")]
    public void A_connection_goes_on_through_a_flood(string kind, string counter)
    {
        using TestNode client = new(1);
        using TestNode server = new(2);
        server.Knows(Frames.PeerAddress, Frames.PeerHardware);
        ulong free = server.Memory.FreePages;
        TcpConnection* listener = Listen(server);
        TcpConnection* from = Connect(client, server);
        Assert.Equal(Errno.None, server.Stack.Tcp.Accept(listener, out TcpConnection* to));
        Random random = new(7);
        byte[] text = new byte[1000];
        for (int index = 0; index < Count; index++)
        {
            server.Deliver(Flood(kind, server, to, random));
            Assert.True(server.Stack.Tcp.ConnectionsInUse <= MostConnections, "connections");
            if (index % PerEcho != 0)
            {
                continue;
            }

            // What the server says to the stranger is none of the client's business.
            server.Sent.Clear();
            random.NextBytes(text);
            Assert.Equal(text, Echo(client, from, server, to, text));
            Assert.True(free - server.Memory.FreePages <= MostPages + MostConnections, "memory");
        }

        Assert.True(CounterOf(server, counter) > Count / 2, $"what was dropped is counted: {CounterOf(server, counter)}");
        client.Stack.Tcp.Abort(from, client.Now);
        TestNode.Carry(client, server);
        server.Stack.Tcp.Close(to, server.Now);
        server.Stack.Tcp.Close(listener, server.Now);
        server.Advance(300 * TestNode.Second);
        Assert.Equal((0UL, 0UL), (server.Stack.Tcp.ConnectionsInUse, server.Stack.PacketBytesInUse));
    }

    private static TcpConnection* Listen(TestNode node)
    {
        TcpConnection* listener = node.Stack.Tcp.Create(IpAddress.AnyV4);
        Assert.Equal(Errno.None, node.Stack.Tcp.Bind(listener, new SocketAddress(IpAddress.AnyV4, Port)));
        Assert.Equal(Errno.None, node.Stack.Tcp.Listen(listener, Backlog));
        return listener;
    }

    private static TcpConnection* Connect(TestNode from, TestNode to)
    {
        TcpConnection* connection = from.Stack.Tcp.Create(IpAddress.AnyV4);
        Assert.Equal(Errno.EINPROGRESS, from.Stack.Tcp.Connect(connection, new SocketAddress(TestNode.V4(to.Address), Port), from.Now));
        TestNode.Carry(from, to);
        Assert.Equal(TcpState.Established, connection->State);
        return connection;
    }

    /// <summary>Bytes to the server and back.</summary>
    private static byte[] Echo(TestNode client, TcpConnection* from, TestNode server, TcpConnection* to, byte[] text)
    {
        byte[] buffer = new byte[text.Length];
        Assert.Equal(Errno.None, client.Stack.Tcp.Write(from, text, TcpTransfer.None, client.Now, out int count));
        TestNode.Carry(client, server);
        Assert.Equal(Errno.None, server.Stack.Tcp.Read(to, buffer, TcpTransfer.None, server.Now, out count));
        Assert.Equal(Errno.None, server.Stack.Tcp.Write(to, buffer.AsSpan(0, count), TcpTransfer.None, server.Now, out _));
        TestNode.Carry(client, server);
        Assert.Equal(Errno.None, client.Stack.Tcp.Read(from, buffer, TcpTransfer.None, client.Now, out count));
        return buffer[..count];
    }

    /// <summary>A segment of the stranger's, who knows addresses, ports and timestamps and guesses numbers.</summary>
    private static byte[] Flood(string kind, TestNode to, TcpConnection* victim, Random random)
    {
        const uint farAhead = 1 << 30;
        ushort port = (ushort)random.Next(1024, ushort.MaxValue);
        uint guess = (uint)random.NextInt64(uint.MaxValue);
        // Far enough from the window that no guess hits it.
        uint outside = victim->RcvNxt + (uint)random.NextInt64(1 << 24, uint.MaxValue - (1 << 24));
        uint inside = victim->RcvNxt + 1 + (guess % 10_000);
        TcpPacket segment = kind switch
        {
            "SYN" => new(port, Port) { SequenceNumber = guess, Synchronize = true },
            "ACK" => new(port, Port) { SequenceNumber = guess, AcknowledgmentNumber = outside, Acknowledgment = true },
            "RST" => new(victim->Remote.Port, Port) { SequenceNumber = outside, Reset = true },
            "RST in the window" => new(victim->Remote.Port, Port) { SequenceNumber = inside, Reset = true },
            "SYN of the connection" => new(victim->Remote.Port, Port) { SequenceNumber = guess, Synchronize = true },
            "text of the connection" => new(victim->Remote.Port, Port)
            {
                SequenceNumber = outside,
                AcknowledgmentNumber = victim->SndNxt,
                Acknowledgment = true,
            },
            _ => new(victim->Remote.Port, Port)
            {
                SequenceNumber = victim->RcvNxt,
                AcknowledgmentNumber = victim->SndNxt + 1 + (guess >> 1),
                Acknowledgment = true,
            },
        };
        byte[] options = [1, 1, 8, 10, .. Frames.Big(victim->TsRecent + farAhead), 0, 0, 0, 0];
        byte[] text = kind.StartsWith("text", StringComparison.Ordinal) ? new byte[100] : [];
        IPAddress from = segment.SourcePort == victim->Remote.Port ? IPAddress.Parse("10.0.0.1") : Frames.PeerAddress;
        return Frames.Tcp(to, from, segment, options, text).Bytes;
    }

    private static ulong CounterOf(TestNode node, string name)
    {
        StatisticsWriter writer = new(new byte[8192]);
        node.Stack.Tcp.Report(ref writer);
        string[] lines = Encoding.ASCII.GetString(writer.Text).Split('\n');
        string line = lines.Single(text => text.StartsWith(name + " ", StringComparison.Ordinal));
        return ulong.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }
}
