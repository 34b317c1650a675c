// A program's run as the tool sees it, against a manager played by the test: streams, credit, signals, failures, time limits.

using System;
using System.Collections.Generic;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public class ProgramRunTests
{
    private static readonly StartRequest s_request = new() { Arguments = ["prog"] };
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();

    private bool Collect(int descriptor, ReadOnlySpan<byte> bytes)
    {
        (descriptor == HostTerminal.StandardOutput ? _output : _error).Append(Encoding.ASCII.GetString(bytes));
        return true;
    }

    private static ControlFrame Text(ControlFrameType type, string text) => ControlFrame.WithText(type, text) with { Session = 1 };

    private static ControlFrame Number(ControlFrameType type, uint number) => ControlFrame.WithNumber(type, 1, number);

    private async Task<int> RunAsync(Func<ControlChannel, Task> script, InputPump.Source? input = null, TimeSpan? limit = null, OutputSink? sink = null)
    {
        using FakeKeeper keeper = new FakeKeeper(script);
        using KeeperClient client = await keeper.ConnectAsync();
        return await new ProgramRun(client, sink ?? Collect, input).RunAsync(s_request, limit).WaitAsync(TimeSpan.FromSeconds(20));
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
        Assert.Equal((status, sentence), (failure.Status, failure.Message));
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
    public async Task Output_that_nobody_reads_sends_SIGPIPE()
    {
        int status = await RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            await manager.WriteAsync(Text(ControlFrameType.StandardOutput, "y"));
            ControlFrame frame;
            do
            {
                frame = (await manager.ReadAsync())!.Value;
            }
            while (frame.Type != ControlFrameType.Signal);
            await manager.WriteAsync(Number(ControlFrameType.Exited, frame.Number(0)));
        }, sink: (_, _) => false);
        Assert.Equal(141, status);
    }

    [Fact]
    public async Task Input_stops_at_64_KB_until_the_program_takes_some_and_ends_with_end_of_file()
    {
        const int TotalBytes = 200_000;
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

        List<byte> received = new List<byte>();
        int mostOutstanding = 0;
        await RunAsync(async manager =>
        {
            await manager.WriteAsync(Number(ControlFrameType.Started, 0));
            int outstanding = 0;
            while (await manager.ReadAsync() is { } frame && frame.Type != ControlFrameType.StandardInputEnd)
            {
                if (frame.Type != ControlFrameType.StandardInput)
                {
                    continue;
                }

                received.AddRange(frame.Payload.ToArray());
                outstanding += frame.Payload.Length;
                mostOutstanding = Math.Max(mostOutstanding, outstanding);
                if (outstanding == InputPump.CreditBytes)
                {
                    // Full: nothing more may come until some is taken.
                    Assert.Equal(received.Count, produced);
                    await manager.WriteAsync(Number(ControlFrameType.StandardInputTaken, 10_000));
                    outstanding -= 10_000;
                }
            }

            await manager.WriteAsync(Number(ControlFrameType.Exited, 0));
        }, Source);
        Assert.Equal(TotalBytes, received.Count);
        Assert.Equal(InputPump.CreditBytes, mostOutstanding);
        for (int i = 0; i < TotalBytes; i++)
        {
            Assert.Equal((byte)i, received[i]);
        }
    }
}
