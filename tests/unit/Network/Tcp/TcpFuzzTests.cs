// Segments of every kind of nonsense, a million in the suite and as many as LEGO_FUZZ_SEGMENTS says, to a stack with a listener and
// connections in all states: it does not crash, does not grow, and answers no reset by a segment.

using System;
using System.Globalization;
using Lego.Kernel;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Network;

public sealed unsafe class TcpFuzzTests
{
    private const int Connections = 64;

    /// <summary>Counts what is sent, and looks at nothing.</summary>
    private sealed class CountingHost : TcpHost
    {
        public long Sent { get; set; }

        public override bool Send(TcpConnection* connection, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b,
            uint ecn)
        {
            Sent++;
            return (Sent & 63) != 0;
        }

        public override void SendBare(IpAddress source, IpAddress destination, uint interfaceIndex, ReadOnlySpan<byte> segment) => Sent++;

        public override int PayloadLimit(IpAddress source, IpAddress destination, uint interfaceIndex) => 1460;

        public override bool TrySourceFor(IpAddress destination, uint interfaceIndex, out IpAddress source)
        {
            source = TcpFixture.OurAddress(destination.IsV4);
            return true;
        }

        public override bool CompletesChecksum(TcpConnection* connection) => true;

        public override void Changed(TcpConnection* connection)
        {
        }
    }

    [Fact]
    public void Nonsense_neither_crashes_nor_grows_nor_answers_resets()
    {
        long count = long.Parse(Environment.GetEnvironmentVariable("LEGO_FUZZ_SEGMENTS") ?? "1000000", CultureInfo.InvariantCulture);
        using HostFrames frames = new(16);
        ulong free = frames.Allocator.FreePages;
        CountingHost host = new();
        NetworkMemory memory = new(frames.Allocator, 512);
        Lego.Kernel.Tcp tcp = new(frames.Allocator, memory, host,
            new TcpLimits { Connections = Connections, ReceiveBufferBytes = 1 << 18, SendBufferBytes = 1 << 18 }, 3, 4);
        Random random = new(20260727);
        IpAddress ours = TcpFixture.OurAddress(true);
        IpAddress theirs = TcpFixture.TheirAddress(true);
        TcpConnection* listener = tcp.Create(IpAddress.AnyV4);
        SocketAddress address = new(ours, 80);
        tcp.Bind(listener, in address);
        tcp.Listen(listener, 8);
        ulong now = 1_000_000_000;
        byte[] segment = new byte[1600];
        long resets = 0;
        for (long index = 0; index < count; index++)
        {
            now += (ulong)random.Next(1, 2_000_000);
            TcpConnection* about = PickConnection(tcp, random);
            int length = Build(segment, about, random);
            long before = host.Sent;
            bool isReset = length >= 20 && (segment[13] & 4) != 0 && (about == null || about->State == TcpState.Listen);
            tcp.OnSegment(theirs, ours, 1, segment.AsSpan(0, length), (uint)random.Next(4), SegmentChecksum.Verified, now);
            Assert.False(isReset && host.Sent != before, "a reset was answered");
            resets += isReset ? 1 : 0;
            if ((index & 7) == 0)
            {
                Act(tcp, listener, random, theirs, now);
            }

            if (tcp.NextDeadlineNs <= now)
            {
                tcp.OnTime(now);
            }
        }

        Assert.True(resets > count / 100);
        Assert.True(memory.PagesInUse <= memory.LimitPages);
        for (TcpConnection* connection = tcp.Next(null); connection != null; connection = tcp.Next(null))
        {
            if (connection->Owner != 0 || connection->State == TcpState.Listen)
            {
                tcp.Abort(connection, now);
            }
            else
            {
                now += 3600UL * 1_000_000_000;
                tcp.OnTime(now);
            }
        }

        Assert.Equal(0UL, tcp.ConnectionsInUse + tcp.SegmentsInUse + memory.PagesInUse);
        // Each slab may keep an empty page.
        Assert.True(free - frames.Allocator.FreePages <= 4);
    }

    private static TcpConnection* PickConnection(Lego.Kernel.Tcp tcp, Random random)
    {
        TcpConnection* connection = tcp.Next(null);
        for (int skip = random.Next(Connections); skip > 0 && connection != null; skip--)
        {
            connection = tcp.Next(connection);
        }

        return connection;
    }

    /// <summary>Mostly near the numbers of a connection, where the interesting cases are.</summary>
    private static int Build(byte[] segment, TcpConnection* about, Random random)
    {
        int length = random.Next(8) == 0 ? random.Next(0, 60) : 20 + (4 * random.Next(0, 11)) + random.Next(random.Next(1, 1500));
        random.NextBytes(segment.AsSpan(0, Math.Min(length, 64)));
        if (length < 20)
        {
            return length;
        }

        int headerBytes = random.Next(16) == 0 ? random.Next(64) : Math.Min(length, 20 + (4 * random.Next(0, 11))) & ~3;
        bool isKnown = about != null && about->Remote.Port != 0;
        uint sequence = isKnown ? about->RcvNxt + (uint)(random.Next(4) == 0 ? random.Next(-70000, 70000)
            : random.Next(-2, 3) * random.Next(1500)) : (uint)random.Next();
        uint acknowledgment = isKnown ? about->SndUna + (uint)random.Next(-2, (int)Math.Min(about->SndNxt - about->SndUna, 100000) + 2)
            : (uint)random.Next();
        TcpFlags flags = random.Next(4) != 0 ? TcpFlags.Ack | (TcpFlags)(random.Next(2) * 8) : (TcpFlags)random.Next(256);
        if (random.Next(64) != 0)
        {
            flags &= ~TcpFlags.Rst;
        }

        if (about == null || about->State == TcpState.Listen)
        {
            flags = random.Next(8) != 0 ? TcpFlags.Syn : TcpFlags.Rst | (flags & TcpFlags.Ack);
        }

        ushort window = random.Next(5) == 0 ? (ushort)0 : (ushort)random.Next(65536);
        ushort from = isKnown ? about->Remote.Port : (ushort)random.Next(1024, 65536);
        Span<byte> header = segment.AsSpan(0, 20);
        TcpHeader.Write(header, from, isKnown ? about->Local.Port : (ushort)80, isKnown
            && about->State == TcpState.Listen ? 0 : sequence, acknowledgment, flags, window, (ushort)random.Next(3000));
        segment[12] = (byte)(headerBytes << 2);
        if (isKnown && headerBytes >= 32 && random.Next(4) != 0)
        {
            TcpOptions.WriteTimestamps(segment.AsSpan(20), about->TsRecent + (uint)random.Next(-2, 20), 0);
        }

        return length;
    }

    /// <summary>Users go on meanwhile.</summary>
    private static void Act(Lego.Kernel.Tcp tcp, TcpConnection* listener, Random random, IpAddress theirs, ulong now)
    {
        if (tcp.Accept(listener, out TcpConnection* accepted) == Errno.None)
        {
            accepted->Owner = 1;
        }

        TcpConnection* connection = PickConnection(tcp, random);
        if (connection == null || connection->Owner == 0)
        {
            if (random.Next(16) == 0)
            {
                TcpConnection* opened = tcp.Create(IpAddress.AnyV4);
                if (opened != null)
                {
                    opened->Owner = 1;
                    SocketAddress remote = new(theirs, (ushort)random.Next(1, 65536));
                    tcp.Connect(opened, in remote, now);
                }
            }

            return;
        }

        Span<byte> bytes = stackalloc byte[2000];
        switch (random.Next(12))
        {
            case 0:
                tcp.Close(connection, now);
                break;
            case 1:
                tcp.Shutdown(connection, TcpDirections.Write, now);
                break;
            case 2:
                tcp.Abort(connection, now);
                break;
            case < 7:
                tcp.Write(connection, bytes[..random.Next(1, 2000)], (TcpTransfer)(random.Next(2) * 2), now, out _);
                break;
            default:
                tcp.Read(connection, bytes, TcpTransfer.None, now, out _);
                break;
        }
    }
}
