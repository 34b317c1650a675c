// Reassembly against a naive model: a buffer with a mark for each byte (RFC 791, 3.2; RFC 8200, 4.5; RFC 5722).

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using CsCheck;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network.Ip;

public sealed unsafe class ReassemblyTests : IDisposable
{
    private const int Pages = 2048;

    private readonly void* _memory = NativeMemory.AlignedAlloc(Pages * PageOperations.PageSize, PageOperations.PageSize);
    private readonly NetworkClock _clock = new();
    private readonly NetworkCounters _counters = new();
    private readonly PacketStore _packets;
    private readonly Reassembly _reassembly;

    public ReassemblyTests()
    {
        FrameAllocator frames = new(_memory, Pages);
        _packets = new PacketStore(frames, 4 * 1024 * 1024);
        _reassembly = new Reassembly(frames, _clock, _counters, _packets);
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [Fact]
    public void Fragments_in_any_order_and_doubled_make_the_datagram()
    {
        Gen<(byte[] Data, int Unit, int[] Order)> cases =
            from data in Gen.Byte.Array[1, 6000]
            from unit in Gen.Int[1, 40]
            from order in Gen.Int[0, int.MaxValue].Array[400]
            select (data, unit, order);
        uint identification = 0;
        cases.Sample(
            (data, unit, order) =>
            {
                identification++;
                List<(int Start, int End)> pieces = Pieces(data.Length, unit * 8);
                List<(int Start, int End)> sequence = [.. pieces, .. pieces.Where((_, index) => order[index % order.Length] % 3 == 0)];
                for (int index = sequence.Count - 1; index > 0; index--)
                {
                    int other = order[index % order.Length] % (index + 1);
                    (sequence[index], sequence[other]) = (sequence[other], sequence[index]);
                }

                int completions = 0;
                bool isRight = true;
                foreach ((int start, int end) in sequence)
                {
                    Span<byte> piece = data.AsSpan(start, end - start);
                    if (completions == 0 && Add(identification, start, end < data.Length, piece, out byte[] whole))
                    {
                        completions++;
                        isRight &= whole.AsSpan(20).SequenceEqual(data) && whole[0] == 0xAA;
                    }
                }

                return completions == 1 && isRight;
            },
            threads: 1, iter: 500);
        Assert.Equal(0, _reassembly.BytesInUse);
        Assert.Equal(0UL, _packets.BytesInUse);
    }

    [Fact]
    public void What_overlaps_never_becomes_a_datagram_and_what_does_not_becomes_the_models()
    {
        Gen<(int Start, int Length, bool More)[]> cases =
            Gen.Select(Gen.Int[0, 15], Gen.Int[1, 6], Gen.Bool, (start, length, more) => (start, length, more)).Array[1, 30];
        uint identification = 1 << 20;
        cases.Sample(
            fragments =>
            {
                identification++;
                Model model = new();
                foreach ((int start, int length, bool more) in fragments)
                {
                    byte[] payload = [.. Enumerable.Range(0, length * 8).Select(at => (byte)((start * 8) + at + start + length))];
                    byte[]? expected = model.Add(start * 8, payload, more);
                    bool isComplete = Add(identification, start * 8, more, payload, out byte[] whole);
                    if (isComplete != (expected != null) || (isComplete && !whole.AsSpan(20).SequenceEqual(expected)))
                    {
                        return false;
                    }

                    if (isComplete)
                    {
                        return true;
                    }
                }

                return true;
            },
            threads: 1, iter: 5000);
    }

    [Fact]
    public void Headers_of_the_first_fragment_count_in_the_length_whichever_comes_first()
    {
        Assert.False(Add(1, 8, false, new byte[65_504], out _));
        Assert.False(Add(1, 0, true, new byte[8], out _, headerBytes: 60));
        Assert.False(Add(2, 0, true, new byte[8], out _, headerBytes: 60));
        Assert.False(Add(2, 8, false, new byte[65_504], out _));
        Assert.False(Add(3, 8, false, new byte[65_504], out _));
        Assert.True(Add(3, 0, true, new byte[8], out byte[] whole));
        Assert.Equal(20 + 65_512, whole.Length);
    }

    [Fact]
    public void Fragments_that_never_complete_are_bounded_in_number_and_bytes_and_end_with_time()
    {
        for (uint identification = 0; identification < 20_000; identification++)
        {
            Add(identification, (int)(identification % 1000 * 8), true, new byte[1400], out _);
            Assert.True(_reassembly.BytesInUse <= Reassembly.MaxBytes);
            Assert.True(_reassembly.DatagramsInUse <= Reassembly.MaxDatagrams);
        }

        _clock.NowNs = 31 * NetworkClock.NsPerSecond;
        while (_reassembly.TryTakeExpired(out ExpiredReassembly expired))
        {
            if (expired.First != null)
            {
                _packets.Release(expired.First);
            }
        }

        Assert.Equal(0UL, _packets.BytesInUse);
        Assert.Equal(NetworkClock.Never, _reassembly.NextDeadlineNs);
    }

    [Fact]
    public void One_datagram_cannot_pass_the_bound_of_all()
    {
        for (int index = 0; index < 8000; index++)
        {
            Add(7, index * 8, true, new byte[8], out _);
        }

        Assert.True(_reassembly.BytesInUse <= Reassembly.MaxBytes);
    }

    [Fact]
    public void A_datagram_longer_than_a_packet_can_be_is_dropped()
    {
        Assert.False(Add(9, 0, true, new byte[65_000], out _));
        Assert.False(Add(9, 65_000, false, new byte[600], out _));
        Assert.Equal(1UL, _counters.Ipv4.ReasmOverlaps);
    }

    private static List<(int Start, int End)> Pieces(int length, int unit)
    {
        List<(int Start, int End)> pieces = [];
        for (int start = 0; start < length; start += unit)
        {
            pieces.Add((start, Math.Min(start + unit, length)));
        }

        return pieces;
    }

    private bool Add(uint identification, int offset, bool more, ReadOnlySpan<byte> payload, out byte[] whole, int headerBytes = 20)
    {
        IncomingFragment fragment = default;
        fragment.Source = TestNode.V4("10.0.0.9");
        fragment.Destination = TestNode.V4("10.0.0.1");
        fragment.Identification = identification;
        fragment.Protocol = 17;
        fragment.OffsetBytes = offset;
        fragment.HasMore = more;
        byte[] header = new byte[headerBytes];
        header[0] = 0xAA;
        fragment.Headers = header;
        fragment.Payload = payload;
        bool isComplete = _reassembly.TryComplete(fragment, out Span<byte> packet, out int keptHeaderBytes, out _);
        whole = packet.ToArray();
        Assert.True(!isComplete || keptHeaderBytes == headerBytes);
        return isComplete;
    }

    /// <summary>A mark for each byte; fragments are compared one by one.</summary>
    private sealed class Model
    {
        private readonly Dictionary<int, byte> _bytes = [];
        private readonly HashSet<(int Start, int Length)> _seen = [];
        private int _total;
        private bool _isDoomed;

        internal byte[]? Add(int start, byte[] payload, bool more)
        {
            int end = start + payload.Length;
            if (_isDoomed)
            {
                return null;
            }

            bool contradicts = _total != 0 && (end > _total || (!more && end != _total));
            if (_seen.Contains((start, payload.Length)) && !contradicts && (more || _total == end || !_bytes.ContainsKey(end)))
            {
                bool isRepeated = more || _total == end;
                if (isRepeated || !_bytes.Keys.Any(at => at >= end))
                {
                    return null;
                }
            }

            bool overlaps = Enumerable.Range(start, payload.Length).Any(_bytes.ContainsKey);
            if (contradicts || overlaps || (!more && _bytes.Keys.Any(at => at >= end)))
            {
                _isDoomed = true;
                return null;
            }

            _seen.Add((start, payload.Length));
            for (int at = 0; at < payload.Length; at++)
            {
                _bytes[start + at] = payload[at];
            }

            _total = more ? _total : end;
            return _total != 0 && _bytes.Count == _total ? [.. Enumerable.Range(0, _total).Select(at => _bytes[at])] : null;
        }
    }
}
