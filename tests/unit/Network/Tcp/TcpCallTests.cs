// What users do and see, timers that end connections, listeners and floods.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpCallTests
{
    [Fact]
    public void Nagle_holds_a_second_small_segment_until_the_first_is_acknowledged()
    {
        using TcpFixture fixture = new();
        fixture.Establish();
        fixture.Write(10);
        Assert.Equal(10, fixture.TakeOne().Payload.Length);
        fixture.Write(10);
        fixture.Write(10);
        Assert.Empty(fixture.Take());
        fixture.Ack(fixture.OursNext + 10);
        Assert.Equal(20, fixture.TakeOne().Payload.Length);
    }

    [Fact]
    public void NoDelay_sends_at_once()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Tcp.SetOption(connection, TcpOption.NoDelay, 1, fixture.Now);
        fixture.Write(10);
        fixture.Write(10);
        Assert.Equal(2, fixture.Take().Length);
    }

    [Fact]
    public void More_waits_for_more_but_not_for_ever()
    {
        using TcpFixture fixture = new();
        fixture.Establish();
        fixture.Write(TcpFixture.Bytes(10), TcpTransfer.More);
        Assert.Empty(fixture.Take());
        fixture.Write(TcpFixture.Bytes(10), TcpTransfer.More);
        fixture.Wait(250 * TcpFixture.Millisecond);
        Assert.Equal(20, fixture.TakeOne().Payload.Length);
    }

    [Fact]
    public void A_silly_window_is_not_used()
    {
        using TcpFixture fixture = new();
        fixture.Establish(window: 2000);
        fixture.Write(5000);
        Assert.Equal([536, 536, 536], fixture.Take().Select(sent => sent.Payload.Length));
        fixture.Ack(fixture.OursNext + (3 * 536), window: 100);
        Assert.Empty(fixture.Take());
    }

    [Fact]
    public void A_closed_window_is_probed_as_long_as_the_peer_answers()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish(window: 0);
        fixture.Write(100);
        for (int count = 0; count < 60; count++)
        {
            fixture.Wait(130 * TcpFixture.Second);
            Assert.NotEmpty(fixture.Take());
            fixture.Ack(fixture.OursNext, window: 0);
        }

        Assert.Equal(TcpState.Established, connection->State);
        fixture.Ack(fixture.OursNext, window: 1000);
        Assert.Equal(100, fixture.Take().Sum(sent => sent.Payload.Length));
    }

    [Fact]
    public void An_acknowledgment_makes_an_earlier_unreachable_forgotten()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Write(10);
        byte[] quoted = fixture.TakeOne().Packet.Bytes[..8];
        fixture.Tcp.OnIcmpError(TcpFixture.OurAddress(true), TcpFixture.TheirAddress(true), 1, quoted, Errno.EHOSTUNREACH, isHard: false,
            fixture.Now);
        fixture.Ack(fixture.OursNext + 10);
        fixture.Write(10);
        fixture.Wait(3600 * TcpFixture.Second);
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void An_idle_connection_is_probed_and_ended()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Tcp.SetOption(connection, TcpOption.KeepIdleSeconds, 10, fixture.Now);
        fixture.Tcp.SetOption(connection, TcpOption.KeepIntervalSeconds, 5, fixture.Now);
        fixture.Tcp.SetOption(connection, TcpOption.KeepCount, 3, fixture.Now);
        fixture.Tcp.SetOption(connection, TcpOption.KeepAlive, 1, fixture.Now);
        fixture.Wait(10 * TcpFixture.Second);
        Assert.Equal(fixture.OursNext - 1, fixture.TakeOne().Sequence);
        fixture.Ack(fixture.OursNext);
        fixture.Wait(10 * TcpFixture.Second);
        Assert.Single(fixture.Take());
        fixture.Wait(15 * TcpFixture.Second);
        Assert.Equal(Errno.ETIMEDOUT, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void Time_wait_ends_after_a_minute_and_nothing_is_left()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Tcp.Close(connection, fixture.Now);
        fixture.Give("FA", fixture.PeerNext, fixture.OursNext + 1);
        Assert.Equal(TcpState.TimeWait, connection->State);
        fixture.Wait(59 * TcpFixture.Second);
        Assert.Equal(1UL, fixture.Tcp.ConnectionsInUse);
        fixture.Wait(2 * TcpFixture.Second);
        Assert.Equal(0UL, fixture.Tcp.ConnectionsInUse);
        Assert.Equal(ulong.MaxValue, fixture.Tcp.NextDeadlineNs);
    }

    [Fact]
    public void A_new_connection_takes_the_place_of_the_one_that_has_waited_longest_in_time_wait()
    {
        using TcpFixture fixture = new();
        TcpConnection* listener = fixture.Listen();
        uint first = 0;
        for (ushort port = 1; port <= 63; port++)
        {
            TcpConnection* accepted = AcceptFrom(fixture, listener, port, out uint ours);
            first = port == 1 ? ours : first;
            // Some are given up by their user before the peer closes, some after.
            const TcpDirections both = TcpDirections.Read | TcpDirections.Write;
            Assert.Equal(Errno.None, fixture.Tcp.Shutdown(accepted, both, fixture.Now));
            if (port % 2 == 0)
            {
                fixture.Tcp.Close(accepted, fixture.Now);
            }

            fixture.Give("FA", TcpFixture.TheirSequence + 1, ours + 1);
            if (port % 2 != 0)
            {
                fixture.Tcp.Close(accepted, fixture.Now);
            }

            Assert.Equal(TcpState.TimeWait, accepted->State);
            fixture.Wait(TcpFixture.Millisecond);
        }

        // The first peer says FIN again: its minute begins anew.
        fixture.PeerPort = 1;
        fixture.Give("FA", TcpFixture.TheirSequence + 1, first + 1);
        AcceptFrom(fixture, listener, 1000, out _);
        AcceptFrom(fixture, listener, 1001, out _);
        Assert.Equal([1, .. Enumerable.Range(4, 60)], Waiting(fixture).Order());
        fixture.Wait(120 * TcpFixture.Second);
        Assert.Empty(Waiting(fixture));
        Assert.Equal(3UL, fixture.Tcp.ConnectionsInUse);
    }

    [Fact]
    public void Close_with_unread_data_resets()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Data([1, 2, 3]);
        fixture.Take();
        fixture.Tcp.Close(connection, fixture.Now);
        Assert.Equal("RA", fixture.TakeOne().Flags);
        Assert.Equal(0UL, fixture.Tcp.ConnectionsInUse);
    }

    [Fact]
    public void Data_after_close_are_answered_by_a_reset()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Tcp.Close(connection, fixture.Now);
        fixture.Take();
        fixture.Give("AP", fixture.PeerNext, fixture.OursNext + 1, [1]);
        Assert.Contains(fixture.Take(), sent => sent.Flags == "RA");
        Assert.Equal(0UL, fixture.Tcp.ConnectionsInUse);
    }

    [Fact]
    public void An_orphan_does_not_wait_for_the_peer_s_FIN_for_ever()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Tcp.Close(connection, fixture.Now);
        fixture.Ack(fixture.OursNext + 1);
        Assert.Equal(TcpState.FinWait2, connection->State);
        fixture.Wait(61 * TcpFixture.Second);
        Assert.Equal(0UL, fixture.Tcp.ConnectionsInUse);
    }

    [Fact]
    public void An_urgent_byte_is_read_out_of_band_and_stops_a_read()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish();
        fixture.Give("AU", fixture.PeerNext, fixture.OursNext, [1, 2, 3, 4], urgent: 3);
        Assert.True((fixture.Tcp.Poll(connection) & TcpReadiness.Urgent) != 0);
        byte[] urgent = new byte[1];
        Assert.Equal(Errno.None, fixture.Tcp.Read(connection, urgent, TcpTransfer.Urgent, fixture.Now, out int count));
        Assert.Equal((1, 3), (count, urgent[0]));
        Assert.Equal([1, 2], fixture.Read());
        Assert.Equal([4], fixture.Read());
        Assert.Equal(Errno.EINVAL, fixture.Tcp.Read(connection, urgent, TcpTransfer.Urgent, fixture.Now, out _));
    }

    [Fact]
    public void An_urgent_write_sets_the_pointer_behind_its_last_byte()
    {
        using TcpFixture fixture = new();
        fixture.Establish();
        fixture.Write(TcpFixture.Bytes(5), TcpTransfer.Urgent);
        Sent sent = fixture.TakeOne();
        Assert.Contains('U', sent.Flags);
        Assert.Equal(5, sent.Packet.UrgentPointer);
    }

    [Fact]
    public void A_hard_error_ends_a_connection_that_is_not_there_yet_and_no_other()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Connect();
        byte[] quoted = fixture.TakeOne().Packet.Bytes[..8];
        fixture.Tcp.OnIcmpError(TcpFixture.OurAddress(true), TcpFixture.TheirAddress(true), 1, quoted, Errno.ECONNREFUSED, isHard: true,
            fixture.Now);
        Assert.Equal(Errno.ECONNREFUSED, fixture.Tcp.TakeError(connection));
        fixture.Tcp.Close(connection, fixture.Now);
        connection = fixture.Establish();
        fixture.Write(10);
        quoted = fixture.TakeOne().Packet.Bytes[..8];
        fixture.Tcp.OnIcmpError(TcpFixture.OurAddress(true), TcpFixture.TheirAddress(true), 1, quoted, Errno.EHOSTUNREACH, isHard: true,
            fixture.Now);
        Assert.Equal(TcpState.Established, connection->State);
        fixture.Wait(3600 * TcpFixture.Second);
        Assert.Equal(Errno.EHOSTUNREACH, fixture.Tcp.TakeError(connection));
    }

    [Fact]
    public void A_flood_of_SYNs_is_answered_by_cookies_that_connect()
    {
        using TcpFixture fixture = new();
        TcpConnection* listener = fixture.Listen(backlog: 4);
        for (int port = 1; port <= 1000; port++)
        {
            fixture.PeerPort = (ushort)(10000 + port);
            fixture.Give("S", (uint)port, 0, options: [2, 4, 5, 0xB4]);
        }

        Assert.True(fixture.Tcp.ConnectionsInUse <= 9);
        Sent cookie = fixture.Take()[^1];
        fixture.Give("A", 1001, cookie.Sequence + 1);
        Assert.Equal(Errno.None, fixture.Tcp.Accept(listener, out TcpConnection* accepted));
        Assert.Equal(TcpState.Established, accepted->State);
        Assert.Equal(1460u, accepted->SndMss);
        fixture.PeerPort = 9999;
        fixture.Give("A", 1001, cookie.Sequence + 1);
        Assert.Equal("R", fixture.Take()[^1].Flags);
    }

    [Fact]
    public void A_connection_beyond_the_backlog_waits_until_there_is_room()
    {
        using TcpFixture fixture = new();
        TcpConnection* listener = fixture.Listen(backlog: 1);
        for (int port = 1; port <= 3; port++)
        {
            fixture.PeerPort = (ushort)(10000 + port);
            fixture.Give("S", 5, 0);
            Sent[] answers = fixture.Take();
            if (answers.Length > 0)
            {
                fixture.Give("A", 6, answers[0].Sequence + 1);
            }
        }

        Assert.Equal(2, listener->AcceptCount);
        Assert.Equal(Errno.None, fixture.Tcp.Accept(listener, out _));
        fixture.Give("S", 5, 0);
        Assert.Contains(fixture.Take(), sent => sent.Flags == "SA");
    }

    [Fact]
    public void Fifty_clients_of_the_wire_that_come_at_once_get_connections_of_a_server_with_a_small_backlog()
    {
        const int Clients = 50;
        using TcpFixture fixture = new() { Interface = InterfaceTable.LoopbackIndex + 1 };
        TcpConnection* listener = fixture.Listen(backlog: 9);
        for (int port = 1; port <= Clients; port++)
        {
            fixture.PeerPort = (ushort)(10000 + port);
            fixture.Give("S", 5, 0);
        }

        Sent[] answers = fixture.Take();
        Assert.Equal(Clients, answers.Length);
        for (int port = 1; port <= Clients; port++)
        {
            fixture.PeerPort = (ushort)(10000 + port);
            fixture.Give("A", 6, answers[port - 1].Sequence + 1);
            Assert.Equal(port, listener->AcceptCount);
        }
    }

    [Fact]
    public void A_later_SYN_takes_over_a_connection_in_TIME_WAIT()
    {
        using TcpFixture fixture = new();
        fixture.Listen();
        fixture.Give("S", 5, 0);
        fixture.Give("A", 6, fixture.TakeOne().Sequence + 1);
        Assert.Equal(Errno.None, fixture.Tcp.Accept(fixture.Tcp.Next(fixture.Tcp.Next(null)), out TcpConnection* accepted));
        uint next = accepted->SndNxt;
        fixture.Tcp.Close(accepted, fixture.Now);
        fixture.Give("FA", 6, next + 1);
        Assert.Equal(TcpState.TimeWait, accepted->State);
        fixture.Take();
        fixture.Give("S", 5000, 0);
        Assert.Equal("SA", fixture.TakeOne().Flags);
    }

    [Fact]
    public void Challenges_are_rationed()
    {
        using TcpFixture fixture = new();
        fixture.Establish();
        for (int count = 0; count < 100; count++)
        {
            fixture.Give("R", fixture.PeerNext + 10 + (uint)count, 0);
        }

        Assert.Single(fixture.Take());
    }

    [Fact]
    public void Single_bytes_do_not_push_the_window_beyond_the_buffer()
    {
        using TcpFixture fixture = new();
        TcpConnection* connection = fixture.Establish([2, 4, 5, 0xB4, 1, 3, 3, 7]);
        uint edge = connection->RcvAdv;
        for (int count = 0; count < 10000; count++)
        {
            fixture.Data([1]);
        }

        Assert.True(connection->RcvAdv - edge <= 128, $"moved by {connection->RcvAdv - edge}");
    }

    [Fact]
    public void A_peer_without_window_scaling_is_not_told_the_same_window_twice()
    {
        using TcpFixture fixture = new();
        fixture.Establish([2, 4, 5, 0xB4])->ReceiveLimit = 1 << 20;
        for (int count = 0; count < 200; count++)
        {
            fixture.Data(TcpFixture.Bytes(1460));
            fixture.Data(TcpFixture.Bytes(1460));
            fixture.Read();
        }

        Sent[] sent = fixture.Take();
        Assert.True(sent.Length >= 100);
        Assert.All(sent.Zip(sent.Skip(1)), pair =>
            Assert.NotEqual((pair.First.Acknowledgment, pair.First.Window), (pair.Second.Acknowledgment, pair.Second.Window)));
    }

    [Fact]
    public void Memory_is_bounded_and_a_full_stack_closes_its_windows()
    {
        using TcpFixture fixture = new(memoryPages: 8);
        fixture.Establish();
        for (int count = 0; count < 100; count++)
        {
            fixture.Data(TcpFixture.Bytes(1000));
        }

        Assert.True(fixture.Memory.PagesInUse <= 8);
        uint acknowledged = fixture.Take()[^1].Acknowledgment;
        Assert.Equal(acknowledged - (TcpFixture.TheirSequence + 1), (uint)fixture.Read().Length);
    }

    [Fact]
    public void A_write_for_which_there_is_room_and_no_memory_says_so_and_leaves_frames_to_receivers()
    {
        const int pages = 16;
        using TcpFixture fixture = new(memoryPages: pages);
        TcpConnection* connection = fixture.Establish(window: 1000);
        Errno error;
        do
        {
            error = fixture.Tcp.Write(connection, new byte[PageOperations.PageSize], TcpTransfer.None, fixture.Now, out _);
        }
        while (error == Errno.None);

        Assert.Equal(Errno.ENOBUFS, error);
        Assert.True(fixture.Tcp.WriteRoom(connection) > 0);
        Assert.True(fixture.Memory.PagesInUse < pages);
        fixture.Data(TcpFixture.Bytes(1000));
        Assert.Equal(TcpFixture.Bytes(1000), fixture.Read());
        fixture.Tcp.Abort(connection, fixture.Now);
        fixture.Tcp.Close(connection, fixture.Now);
        Assert.Equal(0UL, fixture.Memory.PagesInUse);
    }

    private static TcpConnection* AcceptFrom(TcpFixture fixture, TcpConnection* listener, ushort port, out uint ours)
    {
        fixture.PeerPort = port;
        fixture.Give("S", TcpFixture.TheirSequence, 0);
        ours = fixture.Take()[^1].Sequence + 1;
        fixture.Give("A", TcpFixture.TheirSequence + 1, ours);
        Assert.Equal(Errno.None, fixture.Tcp.Accept(listener, out TcpConnection* accepted));
        return accepted;
    }

    /// <summary>The peers' ports of the connections in TIME-WAIT.</summary>
    private static List<int> Waiting(TcpFixture fixture)
    {
        List<int> ports = [];
        for (TcpConnection* connection = fixture.Tcp.Next(null); connection != null; connection = fixture.Tcp.Next(connection))
        {
            if (connection->State == TcpState.TimeWait)
            {
                ports.Add(connection->Remote.Port);
            }
        }

        return ports;
    }
}
