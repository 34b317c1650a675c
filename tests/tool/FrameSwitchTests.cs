// The switch between machines that read, machines that do not, and machines that are not there.

using System;
using System.IO;
using System.Net.Sockets;
using Xunit;

namespace Lego.Tool.Tests;

public sealed class FrameSwitchTests : IDisposable
{
    private const int ReceiveLimitMs = 20_000;
    private const int Many = 2000;

    private readonly string _directory = Directory.CreateTempSubdirectory("lego-switch-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Frames_go_to_the_node_in_their_address_and_group_frames_to_all_others()
    {
        using FrameSwitch forwarder = new(_directory, [1, 2, 3], new FrameLoss(0, 1));
        using Socket one = Machine(1);
        using Socket two = Machine(2);
        using Socket three = Machine(3);
        Send(one, 1, Frame(2, 7));
        Assert.Equal(Frame(2, 7), Receive(two));
        byte[] toAll = Frame(0xFF, 8);
        toAll[0] = 0xFF;
        Send(two, 2, toAll);
        Assert.Equal(toAll, Receive(one));
        Assert.Equal(toAll, Receive(three));
    }

    [Fact]
    public void A_machine_that_does_not_read_holds_up_no_other()
    {
        using FrameSwitch forwarder = new(_directory, [1, 2, 3], new FrameLoss(0, 1));
        using Socket one = Machine(1);
        using Socket two = Machine(2);
        using Socket stopped = Machine(3);
        for (int count = 0; count < Many; count++)
        {
            Send(one, 1, Frame(3, (byte)count));
        }

        Send(one, 1, Frame(2, 7));
        Assert.Equal(Frame(2, 7), Receive(two));
        // What it had room for, and what waited for it, comes when it reads again, in order.
        for (int count = 0; count < 100; count++)
        {
            Assert.Equal(Frame(3, (byte)count), Receive(stopped));
        }
    }

    [Fact]
    public void Frames_to_a_machine_that_is_not_there_are_lost_and_it_may_come_later()
    {
        using FrameSwitch forwarder = new(_directory, [1, 2], new FrameLoss(0, 1));
        using Socket one = Machine(1);
        Send(one, 1, Frame(2, 1));
        Send(one, 1, Frame(1, 2));
        Assert.Equal(Frame(1, 2), Receive(one));
        using Socket two = Machine(2);
        Send(one, 1, Frame(2, 3));
        Assert.Equal(Frame(2, 3), Receive(two));
    }

    private static byte[] Frame(byte node, byte content) => [0x52, 0x54, 0, 0x4C, 0, node, .. new byte[1000], content];

    private static byte[] Receive(Socket socket)
    {
        byte[] buffer = new byte[4096];
        return buffer[..socket.Receive(buffer)];
    }

    private Socket Machine(int node)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = ReceiveLimitMs };
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_directory, $"nic{node}")));
        return socket;
    }

    private void Send(Socket from, int node, byte[] frame) =>
        from.SendTo(frame, new UnixDomainSocketEndPoint(Path.Combine(_directory, $"switch{node}")));
}
