// Runs one program on a rack as if it ran here: starts it through the keeper, passes its standard streams and signals, and returns its exit
// status. Ends early, with a sentence, when the rack fails or the time is over.

using System;
using System.Diagnostics;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>One program on a rack.</summary>
internal sealed class ProgramRun : IDisposable
{
    private const int SignalKill = 9;

    /// <summary>Scope of a signal: the foreground process group, or everything that the program has started.</summary>
    private const uint ForegroundScope = 0;
    private const uint SessionScope = 1;

    /// <summary>How long a killed program may take to be gone, and its last output to be written.</summary>
    private static readonly TimeSpan s_killLimit = TimeSpan.FromSeconds(2);

    private readonly KeeperClient _client;
    private readonly OutputPump _output;
    private readonly InputPump? _input;
    private readonly TaskCompletionSource<int> _abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="input">Null gives the program an empty standard input.</param>
    public ProgramRun(KeeperClient client, OutputSink output, InputPump.Source? input, bool outputIsOneFile = false)
    {
        _client = client;
        _output = new OutputPump(output, _client.SendAsync, outputIsOneFile);
        _input = input is null ? null : new InputPump(input, _client.SendAsync);
    }

    /// <summary>When the first byte of output arrived, <see cref="Stopwatch"/> ticks; 0 before.</summary>
    public long FirstOutput { get; private set; }

    /// <summary>Gets the modes that the program sets at its terminal: the action of tcsetattr(3) and struct termios.</summary>
    public Action<uint, ReadOnlyMemory<byte>>? ModesChanged { get; init; }

    /// <summary>Sends a signal to the program's foreground group.</summary>
    public void Signal(int number) => Send(ControlFrame.WithNumbers(ControlFrameType.Signal, (uint)number, ForegroundScope));

    /// <summary>Tells the program the size of its window.</summary>
    public void Resize(ushort rows, ushort columns) =>
        Send(ControlFrame.WithNumber(ControlFrameType.WindowSize, 0, rows | ((uint)columns << 16)));

    /// <summary>Kills the program; <see cref="RunAsync"/> returns 128 + the signal.</summary>
    public void Abandon(int signal) => _abandoned.TrySetResult(ExitStatus.SignalBase + signal);

    public void Dispose()
    {
        _output.Dispose();
        _input?.Stop();
    }

    /// <summary>Starts the program and waits for its end; its status as a shell reports it.</summary>
    /// <exception cref="ToolException">It could not be started, the rack failed, or the time is over.</exception>
    public async Task<int> RunAsync(StartRequest request, TimeSpan? limit)
    {
        await _client.SendAsync(new ControlFrame(ControlFrameType.Start, 0, request.ToPayload()));
        Task<int> running = Task.Run(() => FollowAsync(request));
        Task timeout = limit is { } span ? Task.Delay(span) : Task.Delay(Timeout.Infinite);
        Task first = await Task.WhenAny(running, timeout, _abandoned.Task);
        if (first == running)
        {
            return await running;
        }

        // Everything that the program started goes with it. Output that is on its way still counts.
        Send(ControlFrame.WithNumbers(ControlFrameType.Signal, SignalKill, SessionScope));
        await Task.WhenAny(running, Task.Delay(s_killLimit));
        return first == timeout
            ? throw new ToolException(ExitStatus.TimedOut, $"{request.Arguments[0]} was stopped: the time given by --timeout is over")
            : await _abandoned.Task;
    }

    private async Task<int> FollowAsync(StartRequest request)
    {
        while (await _client.ReadAsync() is { } frame)
        {
            switch (frame.Type)
            {
                case ControlFrameType.Started:
                    CheckStarted(request, frame.Number(0));
                    _input?.Start();
                    break;
                case ControlFrameType.StandardOutput:
                case ControlFrameType.StandardError:
                case ControlFrameType.Sentence:
                    FirstOutput = FirstOutput == 0 ? Stopwatch.GetTimestamp() : FirstOutput;
                    _output.Add(frame);
                    break;
                case ControlFrameType.StandardInputWanted:
                    AnswerWanted(frame);
                    break;
                case ControlFrameType.TerminalModes:
                    ModesChanged?.Invoke(frame.Number(0), frame.Payload[sizeof(uint)..]);
                    break;
                case ControlFrameType.Exited:
                    return await EndAsync(new WaitStatus(frame.Number(0)).ShellStatus);
                case ControlFrameType.MemberFailed:
                    throw ToolException.Rack(frame.Text());
            }
        }

        throw ToolException.Rack("the rack has ended while the program was running");
    }

    private void AnswerWanted(ControlFrame frame)
    {
        if (_input is not null)
        {
            _input.Want(frame.Number(0), frame.Number(1));
        }
        else
        {
            Send(new ControlFrame(ControlFrameType.StandardInputEnd, 0, default));
        }
    }

    // The program has ended when its last byte is where it should go; it is too late to tell the program when that fails.
    private async Task<int> EndAsync(int status)
    {
        await _output.DrainAsync();
        if (_output.Failure is { } failure)
        {
            string name = failure.Descriptor == HostTerminal.StandardOutput ? "standard output" : "standard error";
            throw new ToolException(status != 0 ? status : ExitStatus.Failed, $"cannot write {name}: {Stdlib.strerror(failure.Error)}");
        }

        return status;
    }

    private void Send(ControlFrame frame) => _ = _client.SendAsync(frame);

    private static void CheckStarted(StartRequest request, uint error)
    {
        if (error == 0)
        {
            return;
        }

        const uint NoEntry = 2;
        const uint TooLong = 7;
        const uint HostDown = 112;
        string reason = error switch
        {
            NoEntry when request.Arguments[0].Length == 0 => "its name is empty",
            NoEntry when request.WorkingDirectory != "/" => "No such file or directory: the program, its dynamic linker, or that directory",
            NoEntry => "No such file or directory (if it is there, its dynamic linker is not in the volume: "
                + "add that and its libraries, take a volume of Debian's packages, or link with -static)",
            HostDown => "no component that it needs is there",
            TooLong => "the arguments and the environment are too long (E2BIG)",
            _ => Stdlib.strerror(NativeConvert.ToErrno((int)error)) ?? $"error {error}",
        };
        throw new ToolException(error == NoEntry ? ExitStatus.NotFound : ExitStatus.NotExecutable,
            $"cannot run {request.Arguments[0]}{(request.WorkingDirectory == "/" ? "" : $" in {request.WorkingDirectory}")}: {reason}");
    }
}
