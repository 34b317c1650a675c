// `lego run`: one program, on the rack that is up or on one of its own. From outside it behaves as if the program ran here.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The run command.</summary>
internal static class RunCommand
{
    /// <summary>Further insistence (Ctrl-C again and again) that ends a rack which is still writing back.</summary>
    private const int MostInsistences = 3;

    public static Command Create()
    {
        Command command = new("run",
            "Run a program on a rack. Its output, exit status and Ctrl-C behave as if it ran here. Uses the rack that is up, unless "
            + "options describe another one; then (and when none is up) boots a rack for this program and takes it down afterwards.\n\n"
            + "Exit status: the program's, or 128+N when signal N ended it; 1 when its output cannot be written; 2 for a wrong "
            + "command line or rack file, 69 when this host lacks something, 70 when a component of the rack "
            + "died, 124 after --timeout, 126 or 127 when the program cannot be run or found.");
        RackOptions rack = new(command);
        RackName name = new(command);
        Option<string[]> env = new("--env") { Description = "Set a variable of the program's environment. Repeatable.", HelpName = "K=V" };
        Option<string> cwd = new("--cwd")
        {
            Description = "The program's working directory.",
            HelpName = "DIR",
            DefaultValueFactory = _ => "/",
        };
        Option<string?> stats = new("--stats")
        {
            Description = "Write the rack's counters as JSON when the program has ended.",
            HelpName = "FILE",
        };
        Option<string?> on = new("--on")
        {
            Description = "Run it on this processor component, whatever the manager would choose; ./lego ps has their names.",
            HelpName = "COMPONENT",
        };
        Option<string?> vnode = new("--vnode")
        {
            Description = "Run it in this vNode of the rack that is up; ./lego vnode create makes one.",
            HelpName = "NAME",
        };
        Option<string?> timeout = new("--timeout") { Description = "Stop the program after this time.", HelpName = "SECONDS" };
        Argument<string[]> words = new("PROGRAM")
        {
            Description = "The program and its arguments, after --.",
            Arity = ArgumentArity.OneOrMore,
        };
        command.Options.Add(env);
        command.Options.Add(cwd);
        command.Options.Add(stats);
        command.Options.Add(on);
        command.Options.Add(vnode);
        command.Options.Add(timeout);
        command.Arguments.Add(words);
        command.SetAction(async result =>
        {
            string[] arguments = result.GetValue(words)!;
            CheckSeparator(result, arguments);
            if (name.Read(result) is not null && rack.AreGiven(result))
            {
                throw ToolException.Usage("--name is a rack that is up; options that describe a rack are for one that is booted");
            }

            if (result.GetValue(vnode) is { } inside && rack.AreGiven(result))
            {
                throw ToolException.Usage(
                    $"--vnode {inside} is one of a rack that is up; options that describe a rack are for one that is booted");
            }

            using KeeperClient? named = name.Read(result) is null ? null : await name.ConnectAsync(result, "the program has not run");
            RackOrder? order = rack.AreGiven(result) ? rack.Read(result, NewName()) : null;
            StartRequest request = new()
            {
                Arguments = HostArguments.RestoreLast(arguments),
                Environment = [.. ProgramEnvironment.With([.. (result.GetValue(env) ?? []).Select(HostArguments.Restore)])],
                WorkingDirectory = CheckDirectory(HostArguments.Restore(result.GetValue(cwd)!)),
                Flags = HostTerminal.Flags,
                TerminalRows = HostTerminal.Window.Rows,
                TerminalColumns = HostTerminal.Window.Columns,
                Modes = HostTerminal.Modes,
            };
            // Refused before a rack is booted for it.
            request.ToPayload();
            return await RunAsync(named, order, () => rack.Read(result, NewName()), request, result.GetValue(on), result.GetValue(vnode),
                result.GetValue(stats),
                ParseSeconds(result.GetValue(timeout)));
        });
        return command;
    }

    private static string NewName() => $"run-{Environment.ProcessId}";

    private static async Task<int> RunAsync(
        KeeperClient? named, RackOrder? order, Func<RackOrder> defaultOrder, StartRequest request, string? on, string? vnode,
        string? stats, TimeSpan? limit)
    {
        OutputFile.Check(stats, "--stats", FileMode.Create);
        using CancellationTokenSource cancellation = new();
        using CancellationTokenSource impatience = new();
        ProgramRun? run = null;
        int earlySignal = 0;
        int insistences = 0;
        void Cancel(int number)
        {
            Interlocked.CompareExchange(ref earlySignal, number, 0);
            Volatile.Read(ref run)?.Abandon(number);
            cancellation.Cancel();
            if (Interlocked.Increment(ref insistences) > MostInsistences)
            {
                impatience.Cancel();
            }
        }

        void Pass(int number)
        {
            if (Volatile.Read(ref run) is { } running)
            {
                running.Signal(number);
            }
            else
            {
                Cancel(number);
            }
        }

        using SignalForwarder signals = new(Pass, Cancel);
        using PosixSignalRegistration window = PosixSignalRegistration.Create(PosixSignal.SIGWINCH,
            _ => Volatile.Read(ref run)?.Resize(HostTerminal.Window.Rows, HostTerminal.Window.Columns));
        long deadline = limit is { } span ? Stopwatch.GetTimestamp() + (long)(span.TotalSeconds * Stopwatch.Frequency) : 0;
        byte[] modes = HostTerminal.Modes;

        KeeperClient? client = named ?? await ConnectToUpAsync(isOtherWanted: order is not null);
        RackKeeper? keeper = null;
        try
        {
            if (client is null && vnode is not null)
            {
                throw ToolException.Usage($"--vnode {vnode}: no rack is up; `./lego up` boots one");
            }

            if (client is null)
            {
                keeper = await RackKeeper.BootAsync(order ?? defaultOrder(), new Progress(ProgressStyle.Discreet), cancellation.Token);
                client = await KeeperClient.TryConnectAsync(keeper.SocketPath)
                    ?? throw ToolException.Rack("the rack's keeper does not answer");
            }

            request = on is null ? request : request with { Node = await client.FindProcessorAsync(on) };
            request = vnode is null ? request : request with { VNode = await VNodeCommands.FindAsync(client, vnode) };
            TimeSpan? left = limit is null ? null : Remaining(deadline);
            using ProgramRun started = new(client, HostTerminal.Write, HostTerminal.ReadInput, HostTerminal.OutputIsOneFile)
            {
                ModesChanged = (action, wanted) => HostTerminal.SetModes(action, wanted.Span),
            };
            Volatile.Write(ref run, started);
            cancellation.Token.ThrowIfCancellationRequested();
            return await FinishAsync(() => RunAndCountAsync(started, client, request, left, stats), keeper, impatience.Token);
        }
        catch (OperationCanceledException) when (earlySignal != 0)
        {
            return ExitStatus.SignalBase + earlySignal;
        }
        finally
        {
            HostTerminal.RestoreModes(modes);
            client?.Dispose();
            if (keeper is not null)
            {
                await keeper.DisposeAsync();
            }
        }
    }

    /// <summary>The rack that is up; null, and a sentence where it would surprise, when the program is to have one of its own.</summary>
    private static async Task<KeeperClient?> ConnectToUpAsync(bool isOtherWanted)
    {
        KeeperClient? client = await KeeperClient.TryConnectToUpAsync(null);
        if (!isOtherWanted)
        {
            if (client is null)
            {
                RackDirectory.Sweep();
                FallenRack.Tell(null, "this program gets one of its own");
            }

            return client;
        }

        if (client is not null)
        {
            client.Dispose();
            Console.Error.WriteLine("lego: a rack is up; this program gets one of its own, because its options describe another one");
        }

        return null;
    }

    private static async Task<int> RunAndCountAsync(ProgramRun run, KeeperClient client, StartRequest request, TimeSpan? limit,
        string? stats)
    {
        int status = await run.RunAsync(request, limit);
        if (stats is not null)
        {
            await WriteStatisticsAsync(client, stats);
        }

        return status;
    }

    // However the program ended, what it wrote to a volume that stays is written back before the machines go.
    private static async Task<int> FinishAsync(Func<Task<int>> run, RackKeeper? keeper, CancellationToken impatience)
    {
        int status = 0;
        ToolException? failure = null;
        try
        {
            status = await run();
        }
        catch (ToolException error)
        {
            failure = error;
        }

        string? trouble = null;
        if (keeper is { HasPersistentVolume: true, Failed.IsCompleted: false })
        {
            trouble = await keeper.ShutDownAsync(impatience);
        }

        if (failure is not null)
        {
            throw trouble is null ? failure : new ToolException(failure.Status, $"{failure.Message}; {trouble}");
        }

        return trouble is null ? status : throw ToolException.Rack(trouble);
    }

    private static string CheckDirectory(string path) =>
        path.StartsWith('/')
            ? path
            : throw ToolException.Usage($"--cwd {path}: write an absolute path of the rack, one that begins with /");

    // What stands before -- must have been an option; a misspelt one would otherwise be taken for the program.
    private static void CheckSeparator(ParseResult result, string[] arguments)
    {
        string[] all = [.. result.Tokens.Select(t => t.Value)];
        int separator = Array.IndexOf(all, "--");
        int after = separator < 0 ? 0 : all.Length - separator - 1;
        string? stray = separator < 0
            ? arguments.FirstOrDefault(a => a.StartsWith('-') && a == arguments[0])
            : arguments.Length > after ? arguments[0] : null;
        if (stray is not null)
        {
            throw ToolException.Usage($"run: '{stray}' is not an option of run; see ./lego run --help");
        }
    }

    private static TimeSpan? ParseSeconds(string? text)
    {
        if (text is null)
        {
            return null;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and < 1e6
            ? TimeSpan.FromSeconds(seconds)
            : throw ToolException.Usage($"--timeout: '{text}' is not a positive number of seconds");
    }

    private static TimeSpan Remaining(long deadline)
    {
        long ticks = Math.Max(deadline - Stopwatch.GetTimestamp(), 0);
        return TimeSpan.FromSeconds((double)ticks / Stopwatch.Frequency);
    }

    // Found out before the program runs, not after.
    private static async Task WriteStatisticsAsync(KeeperClient client, string path) =>
        await File.WriteAllTextAsync(path, (await client.AllStatisticsAsync()).AfterProgram().ToJson() + "\n");
}
