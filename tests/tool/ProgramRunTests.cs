// A program's run as the tool sees it, against a manager played by the test: streams, credit, signals, failures, time limits.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix.Native;
using Xunit;

namespace Lego.Tool.Tests;

public class ProgramRunTests
{
    private static readonly StartRequest s_request = new() { Arguments = ["prog"] };
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    private Errno Collect(int descriptor, ReadOnlySpan<byte> bytes)
    {
        (descriptor == HostTerminal.StandardOutput ? _output : _error).Append(Encoding.ASCII.GetString(bytes));
        return 0;
    }

    private static ControlFrame Text(ControlFrameType type, string text) => ControlFrame.WithText(type, text) with { Session = 1 };

    private static ControlFrame Number(ControlFrameType type, uint number) => ControlFrame.WithNumber(type, 1, number);

    private async Task<int> RunAsync(Func<ControlChannel, Task> script, InputPump.Source? input = null, TimeSpan? limit = null,
        OutputSink? sink = null)
    {
        using FakeKeeper keeper = new(script);
        using KeeperClient client = await keeper.ConnectAsync();
        using ProgramRun run = new(client, sink ?? Collect, input);
        return await run.RunAsync(s_request, limit).WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Streams_pass_apart_and_the_status_is_the_programs()
    {
        int status = await RunAsync(async manager =>
        {
            Assert.Equal(ControlFrameType.Start, (await manager.ReadAsync())!.Value.Type);
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Text(ControlFrameType.StandardOutput, "out"));
            await manager.WriteAsync(Text(ControlFrameType.StandardError, "err"));
            await manager.WriteAsync(Number(ControlFrameType.Exited, 7 << 8));
        });
        Assert.Equal((7, "out", "err"), (status, _output.ToString(), _error.ToString()));
    }

    [Theory]
    [InlineData(2u, ExitStatus.NotFound, "cannot run prog: No such file or directory")]
    [InlineData(8u, ExitStatus.NotExecutable, "cannot run prog: Exec format error")]
    [InlineData(21u, ExitStatus.NotExecutable, "cannot run prog: Is a directory")]
    public async Task A_program_that_cannot_start_is_a_sentence(uint error, int status, string sentence)
    {
        ToolException failure = await Assert.ThrowsAsync<ToolException>(() => RunAsync(async manager =>
        {
            await manager.ReadAsync();
            await manager.WriteAsync(Number(ControlFrameType.Started, error));
        }));
        Assert.Equal(status, failure.Status);
        Assert.StartsWith(sentence, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failed_member_ends_the_run_with_its_sentence()
    {
        ToolException failure = await Assert.ThrowsAsync<ToolException>(() => RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Text(ControlFrameType.MemberFailed, "m0 (memory) was killed"));
        }));
        Assert.Equal((ExitStatus.RackFailed, "m0 (memory) was killed"), (failure.Status, failure.Message));
    }

    [Fact]
    public async Task A_keeper_that_vanishes_ends_the_run()
    {
        ToolException failure = await Assert.ThrowsAsync<ToolException>(
            () => RunAsync(manager => manager.WriteAsync(Number(ControlFrameType.Started, 0))));
        Assert.Equal(ExitStatus.RackFailed, failure.Status);
    }

    [Fact]
    public async Task The_time_limit_kills_the_program()
    {
        uint signal = 0;
        ToolException failure = await Assert.ThrowsAsync<ToolException>(() => RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            while (await manager.ReadAsync() is { } frame)
            {
                if (frame.Type == ControlFrameType.Signal)
                {
                    signal = frame.Number(0);
                    await manager.WriteAsync(Number(ControlFrameType.Exited, signal));
                }
            }
        }, limit: TimeSpan.FromMilliseconds(100)));
        Assert.Equal((ExitStatus.TimedOut, 9u), (failure.Status, signal));
    }

    [Fact]
    public async Task Output_that_nobody_reads_is_told_to_the_program_as_EPIPE()
    {
        ControlFrame closed = default;
        int status = await RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Text(ControlFrameType.StandardOutput, "y"));
            closed = await ReadUntilAsync(manager, ControlFrameType.StandardOutputClosed);
            await manager.WriteAsync(Number(ControlFrameType.Exited, 13));
        }, sink: (_, _) => Errno.EPIPE);
        Assert.Equal((1u, 32u, 141), (closed.Number(0), closed.Number(1), status));
    }

    [Theory]
    [InlineData(0u, 1)]
    [InlineData(7u, 7)]
    public async Task Output_that_could_not_be_written_is_a_sentence_and_a_status(uint exit, int expected)
    {
        ToolException failure = await Assert.ThrowsAsync<ToolException>(() => RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Text(ControlFrameType.StandardError, "y"));
            await manager.WriteAsync(Number(ControlFrameType.Exited, exit << 8));
        }, sink: (_, _) => Errno.ENOSPC));
        Assert.Equal((expected, "cannot write standard error: No space left on device"), (failure.Status, failure.Message));
    }

    [Fact]
    public async Task A_reader_that_pauses_holds_up_only_its_own_stream()
    {
        using ManualResetEventSlim resumed = new();
        Errno Sink(int descriptor, ReadOnlySpan<byte> bytes)
        {
            if (descriptor == HostTerminal.StandardOutput)
            {
                resumed.Wait();
            }

            return Collect(descriptor, bytes);
        }

        uint taken = 0;
        int status = await RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(new ControlFrame(ControlFrameType.StandardOutput, 1, new byte[70_000]));
            await manager.WriteAsync(new ControlFrame(ControlFrameType.StandardError, 1, new byte[70_000]));
            ControlFrame frame = await ReadUntilAsync(manager, ControlFrameType.StandardOutputTaken);
            Assert.Equal((2u, 70_000u + ControlFrame.HeaderBytes), (frame.Number(0), frame.Number(1)));
            resumed.Set();
            frame = await ReadUntilAsync(manager, ControlFrameType.StandardOutputTaken);
            taken = frame.Number(0);
            await manager.WriteAsync(Number(ControlFrameType.Exited, 0));
        }, sink: Sink);
        Assert.Equal((0, 1u), (status, taken));
    }

    [Fact]
    public async Task A_paused_reader_does_not_keep_the_time_limit_from_the_program()
    {
        using ManualResetEventSlim never = new();
        ControlFrame kill = default;
        await Assert.ThrowsAsync<ToolException>(() => RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Text(ControlFrameType.StandardOutput, "y"));
            kill = await ReadUntilAsync(manager, ControlFrameType.Signal);
            await manager.ReadAsync();
        }, limit: TimeSpan.FromMilliseconds(100), sink: (_, _) =>
        {
            never.Wait(TimeSpan.FromSeconds(10));
            return 0;
        }));
        Assert.Equal((9u, 1u), (kill.Number(0), kill.Number(1)));
    }

    [Fact]
    public async Task Input_is_read_only_when_the_program_wants_it_and_each_wanted_read_is_answered()
    {
        const int TotalBytes = 5_000;
        int produced = 0;
        int Source(Span<byte> buffer)
        {
            int length = Math.Min(buffer.Length, TotalBytes - produced);
            for (int i = 0; i < length; i++)
            {
                buffer[i] = (byte)(produced + i);
            }

            produced += length;
            return length;
        }

        List<byte> received = new();
        int beforeAnyWant = -1;
        await RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Number(ControlFrameType.Sentence, 0));
            await Task.Delay(50);
            beforeAnyWant = produced;
            await manager.WriteAsync(ControlFrame.WithNumbers(ControlFrameType.StandardInputWanted, 1000, 2));
            for (int answer = 0; answer < 2; answer++)
            {
                received.AddRange((await ReadUntilAsync(manager, ControlFrameType.StandardInput)).Payload.ToArray());
            }

            Assert.Equal((2000, 2000), (received.Count, produced));
            await manager.WriteAsync(ControlFrame.WithNumbers(ControlFrameType.StandardInputWanted, 10_000, 3));
            received.AddRange((await ReadUntilAsync(manager, ControlFrameType.StandardInput)).Payload.ToArray());
            await ReadUntilAsync(manager, ControlFrameType.StandardInputEnd);
            await manager.WriteAsync(Number(ControlFrameType.Exited, 0));
        }, Source);
        Assert.Equal(0, beforeAnyWant);
        Assert.Equal(Enumerable.Range(0, TotalBytes).Select(i => (byte)i), received);
    }

    private static async Task<ControlFrame> ReadUntilAsync(ControlChannel manager, ControlFrameType type)
    {
        while (await manager.ReadAsync() is { } frame)
        {
            if (frame.Type == type)
            {
                return frame;
            }
        }

        throw new InvalidOperationException($"the tool has gone without {type}");
    }
}
