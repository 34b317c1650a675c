// TCP through the whole stack: nodes on a wire, one node with itself, ports where nobody listens, neighbours that do not answer, paths
// that are narrower than the first link.

using System;
using System.Linq;
using System.Net;
using Lego.Kernel;
using PacketDotNet;
using Xunit;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class TcpOverIpTests
{
    private const ushort Port = 80;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Two_nodes_connect_and_a_megabyte_arrives(bool isV6)
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        TcpConnection* listener = Listener(b, isV6);
        TcpConnection* client = Connected(a, isV6 ? b.LinkLocal : b.Address, isV6 ? (uint)a.Interface : 0);
        TestNode.Carry(a, b);
        Assert.Equal(Errno.None, b.Stack.Tcp.Accept(listener, out TcpConnection* server));
        byte[] data = new byte[1 << 20];
        new Random(3).NextBytes(data);
        Assert.Equal(data, Transfer(a, client, b, server, data));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("10.0.0.1")]
    public void A_node_talks_to_itself_in_long_segments_and_sends_no_frame(string address)
    {
        using TestNode node = new(1);
        TcpConnection* listener = Listener(node, isV6: true);
        TcpConnection* client = Connected(node, IPAddress.Parse(address), 0);
        Settle(node);
        Assert.Equal(Errno.None, node.Stack.Tcp.Accept(listener, out TcpConnection* server));
        byte[] data = new byte[300_000];
        new Random(4).NextBytes(data);
        Assert.Equal(data, Transfer(node, client, node, server, data));
        Assert.Empty(node.Sent);
        Assert.True(client->SndMss > TestNode.Mtu);
    }

    [Fact]
    public void Segments_have_right_checksums_and_fit_the_link()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        Listener(b, isV6: false);
        TcpConnection* client = Connected(a, b.Address, 0);
        TestNode.Carry(a, b);
        a.Stack.Tcp.Write(client, new byte[5000], TcpTransfer.None, a.Now, out _);
        Assert.NotEmpty(a.Sent);
        while (a.Sent.Count > 0)
        {
            EthernetPacket frame = a.Next();
            IPv4Packet ip = frame.Extract<IPv4Packet>();
            Assert.True(ip.TotalLength <= TestNode.Mtu);
            Assert.Equal(2, ip.FragmentFlags);
            Assert.True(ip.ValidIPChecksum);
            Assert.True(Frames.IsIntact(ip, 6));
        }
    }

    [Fact]
    public void A_port_where_nobody_listens_resets()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        TcpConnection* client = Connected(a, b.Address, 0);
        TestNode.Carry(a, b);
        Assert.Equal(Errno.ECONNREFUSED, a.Stack.Tcp.TakeError(client));
    }

    [Fact]
    public void A_connection_to_a_neighbour_that_does_not_answer_ends_with_an_error()
    {
        using TestNode node = new(1);
        TcpConnection* client = Connected(node, Frames.PeerAddress, 0);
        node.Advance(400 * TestNode.Second);
        Assert.Contains(node.Stack.Tcp.TakeError(client), new[] { Errno.EHOSTUNREACH, Errno.ETIMEDOUT });
    }

    [Fact]
    public void A_narrow_path_makes_segments_shorter_and_what_was_lost_goes_again()
    {
        using TestNode a = new(1);
        using TestNode b = new(2);
        TcpConnection* listener = Listener(b, isV6: false);
        TcpConnection* client = Connected(a, b.Address, 0);
        TestNode.Carry(a, b);
        Assert.Equal(Errno.None, b.Stack.Tcp.Accept(listener, out TcpConnection* server));
        a.Stack.Tcp.Write(client, new byte[4000], TcpTransfer.None, a.Now, out _);
        byte[] tooLong = a.Sent.First(frame => frame.Length > 1014);
        a.Sent.Clear();
        a.Deliver(Frames.IcmpError(a, 3, 4, 1000, tooLong[14..(14 + 28)]));
        Assert.NotEmpty(a.Sent);
        Assert.All(a.Sent, frame => Assert.True(frame.Length <= 1014));
        Assert.Equal(4000, Drain(a, client, b, server, 4000).Length);
    }

    private static TcpConnection* Listener(TestNode node, bool isV6)
    {
        IpAddress any = isV6 ? default : IpAddress.AnyV4;
        TcpConnection* listener = node.Stack.Tcp.Create(any);
        Assert.Equal(Errno.None, node.Stack.Tcp.Bind(listener, new SocketAddress(any, Port)));
        Assert.Equal(Errno.None, node.Stack.Tcp.Listen(listener, 8));
        return listener;
    }

    private static TcpConnection* Connected(TestNode node, IPAddress address, uint scope)
    {
        IpAddress remote = TestNode.Of(address);
        TcpConnection* client = node.Stack.Tcp.Create(remote.IsV4 ? IpAddress.AnyV4 : default);
        Errno error = node.Stack.Tcp.Connect(client, new SocketAddress(remote, Port, scope), node.Now);
        Assert.Contains(error, new[] { Errno.None, Errno.EINPROGRESS });
        return client;
    }

    private static byte[] Transfer(TestNode a, TcpConnection* from, TestNode b, TcpConnection* to, byte[] data)
    {
        using System.IO.MemoryStream received = new();
        int sent = 0;
        for (int round = 0; round < 20_000 && received.Length < data.Length; round++)
        {
            if (sent < data.Length && a.Stack.Tcp.Write(from, data.AsSpan(sent), TcpTransfer.None, a.Now, out int count) == Errno.None)
            {
                sent += count;
            }

            received.Write(Drain(a, from, b, to, 0));
        }

        return received.ToArray();
    }

    /// <summary>Carries what is under way, lets a little time go by, and reads until so many bytes have come (0: what there is).</summary>
    private static byte[] Drain(TestNode a, TcpConnection* from, TestNode b, TcpConnection* to, int wanted)
    {
        using System.IO.MemoryStream received = new();
        byte[] buffer = new byte[1 << 16];
        for (int round = 0; round < 2000; round++)
        {
            Settle(a);
            if (a != b)
            {
                TestNode.Carry(a, b);
                b.Advance(10_000_000);
            }

            a.Advance(10_000_000);
            while (b.Stack.Tcp.Read(to, buffer, TcpTransfer.None, b.Now, out int count) == Errno.None && count > 0)
            {
                received.Write(buffer, 0, count);
            }

            if (received.Length >= wanted)
            {
                break;
            }
        }

        return received.ToArray();
    }

    private static void Settle(TestNode node)
    {
        while (node.Stack.Poll(node.Now))
        {
        }
    }
}
