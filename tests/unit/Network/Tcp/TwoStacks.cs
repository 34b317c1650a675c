// Two stacks of ours and a network between them that loses, delays, doubles and reorders segments as a seed says, with an MTU that a router
// on the way may lower. Time is simulated: the next thing that happens is a segment's arrival, a timer of one of the stacks, or a user's
// turn.

using System;
using System.Collections.Generic;
using Lego.Kernel;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Network;

/// <summary>What the network does to segments. Shares are in thousandths.</summary>
public sealed record Wire(int Loss, int Duplicates, int Reordered, int Marked, int DelayMs, int PayloadLimit, int Seed)
{
    public override string ToString() =>
        $"loss {Loss}, duplicates {Duplicates}, reordered {Reordered}, marked {Marked}, delay {DelayMs}, payload {PayloadLimit}, "
        + $"seed {Seed}";
}

/// <summary>One end: a stack, its memory, and what its user does with one connection.</summary>
public sealed unsafe class StackEnd : IDisposable
{
    private readonly HostFrames _frames = new(24);
    private readonly SimulatedHost _host;

    internal StackEnd(TwoStacks network, bool isV4, int index, TcpLimits limits, ulong memoryPages)
    {
        Address = isV4 ? IpAddress.FromV4(0x0A000001 + (uint)index) : IpAddress.FromV6(0xFD00000000000000, 1 + (ulong)index);
        _host = new SimulatedHost(network, this);
        Memory = new NetworkMemory(_frames.Allocator, memoryPages);
        Tcp = new Lego.Kernel.Tcp(_frames.Allocator, Memory, _host, limits, 17 + (ulong)index, 23);
    }

    public IpAddress Address { get; }

    public NetworkMemory Memory { get; }

    public Lego.Kernel.Tcp Tcp { get; }

    public TcpConnection* Connection { get; set; }

    /// <summary>What the user has to send, how much of it is written, and what it has read.</summary>
    public byte[] ToSend { get; set; } = [];

    public int Written { get; set; }

    public List<byte> Received { get; } = [];

    /// <summary>The first error that a call returned.</summary>
    public Errno Failure { get; set; }

    public bool HasShutDown { get; set; }

    public bool HasEnd { get; set; }

    public bool HasClosed { get; set; }

    public ulong TurnNs { get; set; }

    public int PauseMs { get; set; }

    public bool IsDone => HasClosed && Tcp.ConnectionsInUse == (Listener == null ? 0UL : 1UL);

    public TcpConnection* Listener { get; set; }

    public void Dispose() => _frames.Dispose();
}

/// <summary>A stack's lower layer.</summary>
internal sealed unsafe class SimulatedHost(TwoStacks network, StackEnd end) : TcpHost
{
    public override bool Send(TcpConnection* connection, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, uint ecn) =>
        network.Send(end, connection->Local.Address, connection->Remote.Address, [.. header, .. a, .. b], ecn);

    public override void SendBare(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment) =>
        network.Send(end, source, destination, segment.ToArray(), 0);

    public override int PayloadLimit(IpAddress source, IpAddress destination, uint interfaceIndex) => network.Wire.PayloadLimit;

    public override bool TrySourceFor(IpAddress destination, uint interfaceIndex, out IpAddress source)
    {
        source = end.Address;
        return true;
    }

    public override bool CompletesChecksum(TcpConnection* connection) => false;

    public override void Changed(TcpConnection* connection)
    {
    }
}

/// <summary>The network, and the loop.</summary>
public sealed unsafe class TwoStacks : IDisposable
{
    private const ulong Millisecond = 1_000_000;
    private const ushort Port = 7;
    private const int MaximumSteps = 2_000_000;

    private readonly PriorityQueue<(StackEnd To, IpAddress Source, IpAddress Destination, byte[] Bytes, uint Ecn),
        (ulong, int)> _wire = new();
    private readonly Random _random;
    private int _sent;

    public TwoStacks(Wire wire, bool isV4 = true, ulong memoryPages = 2048, uint bufferBytes = 1 << 18)
    {
        Wire = wire;
        _random = new Random(wire.Seed);
        TcpLimits limits = new() { Connections = 32, ReceiveBufferBytes = bufferBytes, SendBufferBytes = bufferBytes };
        Client = new StackEnd(this, isV4, 0, limits, memoryPages);
        Server = new StackEnd(this, isV4, 1, limits, memoryPages);
        Client.Tcp.Ecn = TcpEcn.Active;
        Server.Listener = Server.Tcp.Create(isV4 ? IpAddress.AnyV4 : default);
        SocketAddress address = new(Server.Address, Port);
        Server.Tcp.Bind(Server.Listener, in address);
        Server.Tcp.Listen(Server.Listener, 4);
        Client.Connection = Client.Tcp.Create(isV4 ? IpAddress.AnyV4 : default);
        Client.Tcp.Connect(Client.Connection, in address, Now);
    }

    public Wire Wire { get; set; }

    public TcpCongestion Congestion
    {
        set
        {
            Client.Connection->Congestion = value;
            Server.Listener->Congestion = value;
        }
    }

    /// <summary>The network takes the offer of selective acknowledgments out of SYNs, as middleboxes do.</summary>
    public bool StripsSack { get; set; }

    public ulong Now { get; private set; } = 3_000_000_000;

    public StackEnd Client { get; }

    public StackEnd Server { get; }

    /// <summary>Segments that arrived.</summary>
    public int Delivered { get; private set; }

    /// <summary>When both ends are done, nothing of connections, segments, ranges and buffers is left.</summary>
    public void AssertNothingHeld()
    {
        Assert.Equal(0UL, Client.Tcp.SegmentsInUse + Server.Tcp.SegmentsInUse);
        Assert.Equal(0UL, Client.Memory.PagesInUse + Server.Memory.PagesInUse);
        Assert.Equal(0UL, Client.Tcp.ConnectionsInUse);
    }

    public override string ToString() => $"{Wire}; {Describe(Client)}; {Describe(Server)}";

    private static string Describe(StackEnd end)
    {
        string user = $"failure {end.Failure}, written {end.Written} of {end.ToSend.Length}, received {end.Received.Count}, "
            + $"pages {end.Memory.PagesInUse}, connections {end.Tcp.ConnectionsInUse}";
        if (end.Connection == null || end.HasClosed)
        {
            return user;
        }

        TcpConnection* connection = end.Connection;
        return $"{user}, {connection->State}, una {connection->SndUna} nxt {connection->SndNxt} window {connection->SndWnd} "
            + $"cwnd {connection->Cwnd} queued {connection->SendBuffer.Length} lost {connection->LostBytes} "
            + $"timeout {connection->TimeoutDueNs} persist {connection->PersistDueNs} facts {connection->Facts}";
    }

    /// <summary>SACK-permitted becomes two NOPs and a correction of the checksum.</summary>
    private static void StripSack(byte[] bytes)
    {
        if ((bytes[13] & 2) == 0)
        {
            return;
        }

        for (int at = 20; at < (bytes[12] >> 4) * 4 && bytes[at] != 0; at += bytes[at] == 1 ? 1 : bytes[at + 1])
        {
            if (bytes[at] == 4)
            {
                ushort checksum = (ushort)((bytes[16] << 8) | bytes[17]);
                checksum = InternetChecksum.Update(checksum, 0x0402, 0x0101);
                (bytes[at], bytes[at + 1], bytes[16], bytes[17]) = (1, 1, (byte)(checksum >> 8), (byte)checksum);
            }
        }
    }

    /// <summary>Told of every segment: who sends it, and whether it is lost. For finding out what happened in a run that failed.</summary>
    public Action<bool, byte[], bool>? Trace { get; set; }

    internal bool Send(StackEnd from, IpAddress source, IpAddress destination, byte[] bytes, uint ecn)
    {
        bool isLost = _random.Next(1000) < Wire.Loss;
        Trace?.Invoke(from == Client, bytes, isLost);
        if (isLost)
        {
            return true;
        }

        if (StripsSack)
        {
            StripSack(bytes);
        }

        uint marked = ecn != 0 && _random.Next(1000) < Wire.Marked ? EcnCodepoint.CongestionExperienced : ecn;
        StackEnd to = from == Client ? Server : Client;
        int copies = _random.Next(1000) < Wire.Duplicates ? 2 : 1;
        for (int copy = 0; copy < copies; copy++)
        {
            ulong delay = ((ulong)Wire.DelayMs * Millisecond) + (Wire.Reordered > 0 ? (ulong)_random.Next(1000) : 0);
            if (_random.Next(1000) < Wire.Reordered)
            {
                delay += (ulong)_random.Next(3 * (Wire.DelayMs + 1)) * Millisecond;
            }

            _wire.Enqueue((to, source, destination, bytes, marked), (Now + delay, _sent++));
        }

        return true;
    }

    /// <summary>
    /// Lets both users do their work until all is done; false: at the end of the time there is still something left. Users write and read
    /// in portions of random size at random times, shut down when all is written, and close when they have seen the end.
    /// </summary>
    public bool Run(ulong limitNs, int portionBytes = 5000, int pauseMs = 3)
    {
        ulong end = Now + limitNs;
        int steps = 0;
        while (!(Client.IsDone && Server.IsDone))
        {
            ulong next = Math.Min(Math.Min(Client.Tcp.NextDeadlineNs, Server.Tcp.NextDeadlineNs), Math.Min(TurnOf(Client), TurnOf(Server)));
            if (_wire.TryPeek(out _, out (ulong TimeNs, int Number) first))
            {
                next = Math.Min(next, first.TimeNs);
            }

            if (next > end || steps++ > MaximumSteps || Client.Failure != Errno.None || Server.Failure != Errno.None)
            {
                return false;
            }

            Now = Math.Max(Now, next);
            while (_wire.TryPeek(out _, out first) && first.TimeNs <= Now)
            {
                (StackEnd to, IpAddress source, IpAddress destination, byte[] bytes, uint ecn) = _wire.Dequeue();
                Delivered++;
                to.Tcp.OnSegment(source, destination, 1, bytes, ecn, SegmentChecksum.Unverified, Now);
            }

            Client.Tcp.OnTime(Now);
            Server.Tcp.OnTime(Now);
            TakeTurn(Client, portionBytes, pauseMs);
            TakeTurn(Server, portionBytes, pauseMs);
        }

        return true;
    }

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }

    private static ulong TurnOf(StackEnd end) => end.HasClosed ? ulong.MaxValue : end.TurnNs;

    private static void Note(StackEnd end, Errno error)
    {
        if (end.Failure == Errno.None && error is not (Errno.EAGAIN or Errno.ENOBUFS))
        {
            end.Failure = error;
        }
    }

    private void TakeTurn(StackEnd end, int portionBytes, int pauseMs)
    {
        if (end.HasClosed || end.TurnNs > Now)
        {
            return;
        }

        // A user who has nothing to do looks more and more rarely.
        end.PauseMs = Math.Min(Math.Max(pauseMs, 2 * end.PauseMs), 1000);
        end.TurnNs = Now + (ulong)_random.Next(1, 1 + (end.PauseMs * 1_000_000));
        if (end.Connection == null)
        {
            end.Tcp.Accept(end.Listener, out TcpConnection* accepted);
            end.Connection = accepted;
            return;
        }

        int portion = _random.Next(1, portionBytes);
        if (end.Written < end.ToSend.Length)
        {
            ReadOnlySpan<byte> bytes = end.ToSend.AsSpan(end.Written, Math.Min(portion, end.ToSend.Length - end.Written));
            Note(end, end.Tcp.Write(end.Connection, bytes, TcpTransfer.None, Now, out int count));
            end.Written += count;
            end.PauseMs = count > 0 ? 0 : end.PauseMs;
        }
        else if (!end.HasShutDown && end.Connection->State is TcpState.Established or TcpState.CloseWait)
        {
            end.Tcp.Shutdown(end.Connection, TcpDirections.Write, Now);
            end.HasShutDown = true;
        }

        byte[] buffer = new byte[_random.Next(1, portionBytes)];
        Errno error = end.Tcp.Read(end.Connection, buffer, TcpTransfer.None, Now, out int read);
        Note(end, error);
        end.Received.AddRange(buffer.AsSpan(0, read).ToArray());
        end.PauseMs = read > 0 ? 0 : end.PauseMs;
        end.HasEnd |= error == Errno.None && read == 0;
        if (end.HasEnd && end.HasShutDown)
        {
            end.Tcp.Close(end.Connection, Now);
            end.HasClosed = true;
        }
    }
}
