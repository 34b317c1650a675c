// Flow control of standard streams at the processor component: the credit of output, the wanted reads of input.

using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class StandardStreamFlowTests
{
    private const uint Chunk = 16 * 1024;

    [Fact]
    public void A_stream_sends_a_window_and_then_waits_for_credit()
    {
        OutputCredit credit = default;
        credit.Open();
        int sent = 0;
        while (credit.Take(1 << 20, mayWait: false, out int granted) == Errno.None)
        {
            Assert.InRange(granted, 1, StreamRequest.MaxBytes);
            sent += granted + StreamRequest.FrameBytes;
        }

        Assert.InRange(sent, StreamRequest.OutputWindowBytes - 4096 - StreamRequest.FrameBytes, StreamRequest.OutputWindowBytes);
        Assert.False(credit.HasRoom);
        credit.Return((uint)sent);
        Assert.True(credit.HasRoom);
        Assert.Equal(StreamRequest.OutputWindowBytes, credit.Left);
    }

    [Fact]
    public void A_small_write_goes_out_in_one_piece_or_waits()
    {
        OutputCredit credit = default;
        credit.Open();
        while (credit.Take(10_000, mayWait: false, out _) == Errno.None)
        {
        }

        int left = credit.Left;
        Assert.InRange(left, 0, 4096 + StreamRequest.FrameBytes - 1);
        Assert.Equal(Errno.EAGAIN, credit.Take(4096, mayWait: false, out int granted));
        Assert.Equal(0, granted);
        credit.Return((uint)(4096 + StreamRequest.FrameBytes - left));
        Assert.Equal(Errno.None, credit.Take(4096, mayWait: false, out granted));
        Assert.Equal(4096, granted);
    }

    [Fact]
    public void More_credit_than_was_taken_does_not_widen_the_window()
    {
        OutputCredit credit = default;
        credit.Open();
        credit.Return(12345);
        Assert.Equal(StreamRequest.OutputWindowBytes, credit.Left);
    }

    [Fact]
    public void A_closed_stream_fails_with_its_status_even_when_there_is_no_credit()
    {
        OutputCredit credit = default;
        credit.Open();
        credit.Close(Errno.ENOSPC);
        Assert.Equal(Errno.ENOSPC, credit.Take(1, mayWait: true, out _));
        Assert.True(credit.HasRoom);
    }

    [Fact]
    public void A_small_reader_asks_for_what_it_reads_and_only_when_it_waits()
    {
        InputDemand demand = default;
        Assert.False(demand.TryAsk(100, 0, isWaiting: false, isTerminal: false, out _));
        Assert.True(demand.TryAsk(100, 0, isWaiting: true, isTerminal: false, out uint reads));
        Assert.Equal((1u, 100u), (reads, demand.BytesOfEach));
        Assert.False(demand.TryAsk(5, 0, isWaiting: true, isTerminal: false, out _));
        demand.Answer(1);
        demand.CountTaken(100);
        Assert.False(demand.TryAsk(100, 7, isWaiting: true, isTerminal: false, out _));
        Assert.True(demand.TryAsk(0, 0, isWaiting: true, isTerminal: false, out _));
        Assert.Equal(0u, demand.BytesOfEach);
        demand.Answer(1);
        Assert.True(demand.TryAsk(ulong.MaxValue, 0, isWaiting: true, isTerminal: false, out _));
        Assert.Equal((uint)StreamRequest.MaxBytes, demand.BytesOfEach);
    }

    [Fact]
    public void A_reader_of_the_whole_stream_is_read_ahead_of_in_proportion_to_what_it_has_taken()
    {
        InputDemand demand = default;
        demand.CountTaken(512);
        Assert.True(demand.TryAsk(1, 0, isWaiting: true, isTerminal: false, out _));
        Assert.Equal(1u, demand.BytesOfEach);
        demand.Answer(1);
        demand.CountTaken(1);
        // A poll comes before each read of such a reader: it may bring the bytes at once.
        Assert.True(demand.TryAsk(0, 0, isWaiting: true, isTerminal: false, out uint reads));
        Assert.Equal((1u, 513u / 4), (reads, demand.BytesOfEach));
        demand.Answer(1);
        demand.CountTaken(4096);
        Assert.True(demand.TryAsk(4096, 0, isWaiting: true, isTerminal: false, out _));
        Assert.Equal(4096u, demand.BytesOfEach);
        Assert.False(demand.TryAsk(4096, 0, isWaiting: false, isTerminal: false, out _));
    }

    [Fact]
    public void A_long_stream_keeps_the_way_filled_and_never_wants_more_than_there_is_room_for()
    {
        InputDemand demand = default;
        demand.CountTaken(4 * Chunk);
        Assert.True(demand.TryAsk(4096, 0, isWaiting: true, isTerminal: false, out uint reads));
        Assert.Equal((StreamRequest.InputWindowBytes / Chunk, Chunk), (reads, demand.BytesOfEach));
        // One has come and lies in the ring: asking for one more is not worth a message.
        demand.Answer(1);
        Assert.False(demand.TryAsk(4096, Chunk, isWaiting: false, isTerminal: false, out _));
        demand.Answer(1);
        Assert.False(demand.TryAsk(4096, 2 * Chunk, isWaiting: false, isTerminal: false, out _));
        Assert.False(demand.TryAsk(4096, 100, isWaiting: false, isTerminal: false, out _));
        Assert.True(demand.TryAsk(4096, 0, isWaiting: false, isTerminal: false, out reads));
        Assert.Equal(2u, reads);
        Assert.True(demand.Reads * demand.BytesOfEach <= StreamRequest.InputWindowBytes);
    }

    [Fact]
    public void A_terminal_is_read_line_by_line_however_much_has_been_read()
    {
        InputDemand demand = default;
        demand.CountTaken(1 << 20);
        Assert.False(demand.TryAsk(4096, 0, isWaiting: false, isTerminal: true, out _));
        Assert.True(demand.TryAsk(4096, 0, isWaiting: true, isTerminal: true, out uint reads));
        Assert.Equal(1u, reads);
    }
}
