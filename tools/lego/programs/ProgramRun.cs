// Runs one program on a rack as if it ran here: starts it through the keeper, passes its standard streams and signals, and returns its exit
// status. Ends early, with a sentence, when the rack fails or the time is over.

using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Tool;

/// <summary>Where a program's output goes; returns false when nobody reads any more.</summary>
public delegate bool OutputSink(int descriptor, ReadOnlySpan<byte> bytes);

/// <summary>One program on a rack.</summary>
public sealed class ProgramRun
{
    private const int SignalKill = 9;
    private const int SignalPipe = 13;
    private static readonly TimeSpan s_killLimit = TimeSpan.FromSeconds(2);

    private readonly KeeperClient _client;
    private readonly OutputSink _output;
    private readonly InputPump? _input;
    private readonly TaskCompletionSource<int> _abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="input">Null gives the program an empty standard input.</param>
    public ProgramRun(KeeperClient client, OutputSink output, InputPump.Source? input)
    {
        _client = client;
        _output = output;
        _input = input is null ? null : new InputPump(input, _client.SendAsync);
    }

    /// <summary>When the first byte of output arrived, <see cref="Stopwatch"/> ticks; 0 before.</summary>
    public long FirstOutput { get; private set; }

    /// <summary>Sends a signal to the program.</summary>
    public void Signal(int number) => _ = _client.SendAsync(ControlFrame.WithNumber(ControlFrameType.Signal, 0, (uint)number));

    /// <summary>Stops waiting for the program; <see cref="RunAsync"/> returns 128 + the signal.</summary>
    public void Abandon(int signal) => _abandoned.TrySetResult(ExitStatus.SignalBase + signal);

    /// <summary>Starts the program and waits for its end; its status as a shell reports it.</summary>
    /// <exception cref="ToolException">It could not be started, the rack failed, or the time is over.</exception>
    public async Task<int> RunAsync(StartRequest request, TimeSpan? limit)
    {
        await _client.SendAsync(new ControlFrame(ControlFrameType.Start, 0, request.ToPayload()));
        // Off this thread: writing output may block in write(2).
        Task<int> running = Task.Run(() => FollowAsync(request));
        Task timeout = limit is { } span ? Task.Delay(span) : Task.Delay(Timeout.Infinite);
        Task first = await Task.WhenAny(running, timeout, _abandoned.Task);
        if (first == timeout)
        {
            Signal(SignalKill);
            // Output that is on its way still counts.
            await Task.WhenAny(running, Task.Delay(s_killLimit));
            throw new ToolException(ExitStatus.TimedOut, $"{request.Arguments[0]} was stopped: the time given by --timeout is over");
        }

        return await (first == running ? running : _abandoned.Task);
    }

    private async Task<int> FollowAsync(StartRequest request)
    {
        while (await _client.ReadAsync() is { } frame)
        {
            switch (frame.Type)
            {
                case ControlFrameType.Started:
                    CheckStarted(request, frame.Number(0));
                    StartInput();
                    break;
                case ControlFrameType.StandardOutput:
                    PassOutput(HostTerminal.StandardOutput, frame);
                    break;
                case ControlFrameType.StandardError:
                    PassOutput(HostTerminal.StandardError, frame);
                    break;
                case ControlFrameType.StandardInputTaken:
                    _input?.AddCredit(frame.Number(0));
                    break;
                case ControlFrameType.Exited:
                    return new WaitStatus(frame.Number(0)).ShellStatus;
                case ControlFrameType.MemberFailed:
                    throw ToolException.Rack(frame.Text());
            }
        }

        throw ToolException.Rack("the rack has ended while the program was running");
    }

    private void StartInput()
    {
        if (_input is not null)
        {
            _input.Start();
        }
        else
        {
            _ = _client.SendAsync(new ControlFrame(ControlFrameType.StandardInputEnd, 0, default));
        }
    }

    private void PassOutput(int descriptor, ControlFrame frame)
    {
        if (FirstOutput == 0)
        {
            FirstOutput = Stopwatch.GetTimestamp();
        }

        if (!_output(descriptor, frame.Payload.Span))
        {
            // What the kernel would have told the program had the pipe been its own.
            Signal(SignalPipe);
        }
    }

    private static void CheckStarted(StartRequest request, uint error)
    {
        if (error == 0)
        {
            return;
        }

        const uint NoEntry = 2;
        const uint NeedsInterpreter = 79; // ELIBACC: the home refuses executables with PT_INTERP.
        string reason = error == NeedsInterpreter
            ? "it is dynamically linked, and only static executables run here today; link it with -static or -static-pie"
            : Stdlib.strerror(NativeConvert.ToErrno((int)error)) ?? $"error {error}";
        throw new ToolException(error == NoEntry ? ExitStatus.NotFound : ExitStatus.NotExecutable,
            $"cannot run {request.Arguments[0]}: {reason}");
    }
}
