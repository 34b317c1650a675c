// Filters of packets: what they load from frames in pieces and around them, and that nothing else is ever read.

using System;
using System.Linq;
using Lego.Kernel;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Unit.Network;

public sealed unsafe class PacketFilterTests : IDisposable
{
    private const ushort LoadWord = 0x20;
    private const ushort LoadHalf = 0x28;
    private const ushort LoadByte = 0x30;
    private const ushort LoadByteIndexed = 0x50;
    private const ushort LoadHeaderLength = 0xB1;
    private const ushort ReturnAccumulator = 0x16;
    private const ushort Return = 0x06;
    private const uint Knowledge = 0xFFFF_F000;
    private const uint Network = 0xFFF0_0000;
    private const uint Link = 0xFFE0_0000;

    private readonly HostFrames _memory = new(megabytes: 4);

    private readonly ulong _freeAtFirst;

    public PacketFilterTests() => _freeAtFirst = _memory.Allocator.FreePages;

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void Loads_cross_the_pieces_of_a_frame_and_end_with_it()
    {
        byte[] bytes = [.. Enumerable.Range(0, 30).Select(index => (byte)index)];
        FilterView view = Frame(bytes);
        Assert.Equal(0x10111213U, Run(view, Of(LoadWord, 2), Of(ReturnAccumulator)));
        Assert.Equal(0x1314U, Run(view, Of(LoadHalf, 5), Of(ReturnAccumulator)));
        Assert.Equal(29U, Run(view, Of(LoadByte, 15), Of(ReturnAccumulator)));
        Assert.Equal(0U, Run(view, Of(LoadByte, 16), Of(Return, 1)));
        Assert.Equal(0U, Run(view, Of(LoadWord, 13), Of(Return, 1)));
        Assert.Equal(16U, Run(view, Of(0x80), Of(ReturnAccumulator)));
        Assert.Equal(20U, Run(view, Of(LoadByteIndexed, 6), Of(ReturnAccumulator)));
        Assert.Equal(0U, Run(view, Of(0x01, 0x7FFF_FFFF), Of(LoadByteIndexed, 0x7FFF_FFFF), Of(Return, 1)));
        Assert.Equal(4U * (29 & 0xF), Run(view, Of(LoadHeaderLength, 15), Of(0x87), Of(ReturnAccumulator)));
    }

    [Fact]
    public void Negative_offsets_name_the_headers_and_what_is_known_of_the_packet()
    {
        FilterView view = Frame([.. Enumerable.Range(0, 30).Select(index => (byte)index)]);
        Assert.Equal(0x0C0DU, Run(view, Of(LoadHalf, Link + 12), Of(ReturnAccumulator)));
        Assert.Equal(15U, Run(view, Of(LoadByte, Network + 1), Of(ReturnAccumulator)));
        Assert.Equal(0x86DDU, Run(view, Of(LoadWord, Knowledge), Of(ReturnAccumulator)));
        Assert.Equal(4U, Run(view, Of(LoadByte, Knowledge + 4), Of(ReturnAccumulator)));
        Assert.Equal(3U, Run(view, Of(LoadHalf, Knowledge + 8), Of(ReturnAccumulator)));
        view.LinkStart = -1;
        Assert.Equal(0U, Run(view, Of(LoadHalf, Link + 12), Of(Return, 1)));
        Assert.Equal(0U, Run(view, Of(LoadByte, Link - 1), Of(Return, 1)));
        Assert.Equal(Errno.EINVAL, Check(Of(LoadWord, Knowledge + 64), Of(Return)));
        Assert.Equal(Errno.EINVAL, Check(Of(LoadWord, Knowledge + 2), Of(Return)));
    }

    [Fact]
    public void Scratch_memory_is_read_only_where_every_way_has_written_it()
    {
        FilterInstruction branch = new() { Code = 0x15, IfTrue = 1 };
        Assert.Equal(Errno.EINVAL, Check(Of(0x60, 3), Of(Return)));
        Assert.Equal(Errno.None, Check(Of(0x02, 3), Of(0x60, 3), Of(Return)));
        Assert.Equal(Errno.EINVAL, Check(Of(0x02, 3), Of(0x61, 4), Of(Return)));
        Assert.Equal(Errno.EINVAL, Check(branch, Of(0x02, 3), Of(0x60, 3), Of(Return)));
        Assert.Equal(Errno.None, Check(branch, Of(Return), Of(0x03, 3), Of(0x60, 3), Of(Return)));
        Assert.Equal(Errno.None, Check([.. Enumerable.Repeat(Of(0x02, 1), 4094), Of(0x60, 1), Of(Return)]));
        Assert.Equal(Errno.EINVAL, Check([.. Enumerable.Repeat(Of(0x02, 1), 4094), Of(0x60, 2), Of(Return)]));
        Assert.Equal(_memory.Allocator.FreePages, _freeAtFirst);
    }

    [Fact]
    public void Every_program_that_passes_ends_and_reads_nothing_else()
    {
        Random random = new(18);
        uint[] operands =
            [0, 1, 7, 15, 16, 29, 30, 0x7FFF_FFFF, Knowledge, Knowledge + 40, Network, Network + 20, Link, Link - 1, uint.MaxValue];
        byte[] codes = [0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0xB1, 0x80, 0x00, 0x60, 0x01, 0x61, 0x81, 0x02, 0x03, 0x06, 0x16, 0x07, 0x87,
            0x05, 0x15, 0x25, 0x35, 0x45, 0x1D, 0x4D, 0x04, 0x0C, 0x14, 0x24, 0x34, 0x3C, 0x44, 0x54, 0x64, 0x6C, 0x74, 0x7C,
            0x84, 0x94, 0x9C, 0xA4];
        int passed = 0;
        for (int round = 0; round < 200_000; round++)
        {
            FilterInstruction[] program = [.. Enumerable.Range(0, 8).Select(_ => new FilterInstruction
            {
                Code = codes[random.Next(codes.Length)],
                Operand = operands[random.Next(operands.Length)],
                IfTrue = (byte)random.Next(4),
                IfFalse = (byte)random.Next(4),
            }), Of(Return, 7), Of(ReturnAccumulator)];
            if (Check(program) == Errno.None)
            {
                passed++;
                Run(Frame(new byte[random.Next(14, 40)]), program);
            }
        }

        Assert.True(passed > 300, $"{passed}");
    }

    [Fact]
    public void A_filter_leaves_at_least_the_header_or_drops_all()
    {
        PacketFilter filter = default;
        Assert.Equal(8, Passing(ref filter, 3, least: 8));
        Assert.Equal(16, Passing(ref filter, uint.MaxValue, least: 8));
        Assert.Equal(0, Passing(ref filter, 0, least: 8));
    }

    private static FilterInstruction Of(ushort code, uint operand = 0) => new() { Code = code, Operand = operand };

    /// <summary>A frame in three pieces, whose offset 0 is behind the Ethernet header.</summary>
    private static FilterView Frame(byte[] bytes) => new()
    {
        Head = bytes.AsSpan(0, Math.Min(20, bytes.Length)),
        A = bytes.AsSpan(Math.Min(20, bytes.Length), bytes.Length > 21 ? 1 : 0),
        B = bytes.AsSpan(bytes.Length > 21 ? 21 : Math.Min(20, bytes.Length)),
        Start = 14,
        NetworkStart = 14,
        LinkStart = 0,
        EtherType = 0x86DD,
        LinkType = LinkPacketType.Outgoing,
        InterfaceIndex = 3,
    };

    private int Passing(ref PacketFilter filter, uint said, int least)
    {
        filter.Code = Make(Of(Return, said));
        int passing = filter.Passing(Frame(new byte[30]), least);
        filter.Code.GiveBack(_memory.Allocator);
        return passing;
    }

    private FilterCode Make(params FilterInstruction[] program)
    {
        FilterCode code = default;
        Assert.True(code.TryTake(_memory.Allocator, program.Length));
        for (int index = 0; index < program.Length; index++)
        {
            code[index] = program[index];
        }

        return code;
    }

    private Errno Check(params FilterInstruction[] program)
    {
        FilterCode code = Make(program);
        Errno error = FilterMachine.Check(ref code, _memory.Allocator);
        code.GiveBack(_memory.Allocator);
        return error;
    }

    private uint Run(scoped FilterView view, params FilterInstruction[] program)
    {
        FilterCode code = Make(program);
        Assert.Equal(Errno.None, FilterMachine.Check(ref code, _memory.Allocator));
        uint said = FilterMachine.Run(ref code, in view);
        code.GiveBack(_memory.Allocator);
        return said;
    }
}
