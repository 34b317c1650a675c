// A program on a rack, for scripts: what it has printed so far, its input, its end, signals. One connection to the rack's keeper each.

using System;
using System.Collections.Generic;
using System.IO;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>How a program ended (as a shell's $? has it) and what it printed, as UTF-8.</summary>
public sealed record ProgramResult(int Status, string Output, string Error);

/// <summary>What a program starts with.</summary>
public sealed record ProgramOptions
{
    /// <summary>K=V words beside PATH, HOME, USER and HOSTNAME.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];
    /// <summary>An absolute path of the rack.</summary>
    public string WorkingDirectory { get; init; } = "/";
    /// <summary>The processor component to run on, by name; null leaves the choice to the manager.</summary>
    public string? On { get; init; }
    /// <summary>The vNode to run in, by name; null for the rack itself.</summary>
    public string? VNode { get; init; }
    /// <summary>Standard input; null for an empty one.</summary>
    public Stream? Input { get; init; }
    /// <summary>Gets what it prints on standard output as well, as soon as it arrives; Console.OpenStandardOutput() shows it.</summary>
    public Stream? Output { get; init; }
    /// <summary>The same of standard error.</summary>
    public Stream? Error { get; init; }
    /// <summary>Time after which it is killed and a <see cref="ToolException"/> says so.</summary>
    public TimeSpan? Limit { get; init; }
}

/// <summary>A program that was started. Disposing it before its end kills it.</summary>
public sealed class RackProgram : IAsyncDisposable
{
    private readonly KeeperClient _client;
    private readonly ProgramRun _run;
    private readonly CollectedOutput _output;
    private readonly CollectedOutput _error;

    internal RackProgram(KeeperClient client, ProgramOptions options, string[] words)
    {
        _client = client;
        _output = new CollectedOutput(options.Output);
        _error = new CollectedOutput(options.Error);
        _run = new ProgramRun(
            client, (descriptor, bytes) => (descriptor == HostTerminal.StandardOutput ? _output : _error).Add(bytes),
            options.Input is { } input ? input.Read : null);
        Result = FinishAsync(options, words);
    }

    /// <summary>
    /// Completes at the program's end; fails with a <see cref="ToolException"/> when it could not start or the rack failed.
    /// </summary>
    public Task<ProgramResult> Result { get; }

    /// <summary>What it has printed on standard output so far.</summary>
    public string Output => _output.Text;

    /// <summary>The same of standard error.</summary>
    public string Error => _error.Text;

    /// <summary>Waits until standard output has a text.</summary>
    /// <exception cref="ToolException">The program ended without it, or as <see cref="Result"/> fails.</exception>
    public async Task WaitForOutputAsync(string text)
    {
        Task found = _output.WaitForAsync(text);
        if (await Task.WhenAny(found, Result) != found)
        {
            ProgramResult result = await Result;
            if (!result.Output.Contains(text, StringComparison.Ordinal))
            {
                throw ToolException.Rack($"the program has ended with status {result.Status} and has not printed '{text}'");
            }
        }
    }

    /// <summary>Sends a signal to the program's foreground process group, as Ctrl-C sends 2.</summary>
    public void Signal(int number) => _run.Signal(number);

    /// <summary>Kills the program if it still runs, and waits until it has ended.</summary>
    public async ValueTask DisposeAsync()
    {
        const int Kill = 9;
        if (!Result.IsCompleted)
        {
            _run.Abandon(Kill);
        }

        // Whoever wants to know how it ended has asked before.
        await ((Task)Result).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _run.Dispose();
        _client.Dispose();
    }

    private async Task<ProgramResult> FinishAsync(ProgramOptions options, string[] words)
    {
        StartRequest request = new()
        {
            Arguments = words,
            Environment = [.. ProgramEnvironment.With(options.Environment)],
            WorkingDirectory = options.WorkingDirectory,
            Node = options.On is { } name ? await _client.FindProcessorAsync(name) : 0,
            VNode = options.VNode is { } vnode ? await VNodeCommands.FindAsync(_client, vnode) : 0,
        };
        int status = await _run.RunAsync(request, options.Limit);
        return new ProgramResult(status, Output, Error);
    }
}
