// `lego up` and the hidden `lego keep`. `up` starts `keep` as a process of its own, detached from the terminal, and waits until the rack is
// ready; `keep` owns the machines until `down` asks for the end, a machine dies, or a signal comes.

using System;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The up and keep commands.</summary>
internal static class UpCommand
{
    private const int PollMs = 20;

    public static Command Create()
    {
        Command command = new("up", "Boot a rack and leave it running; `run` uses it until `down` takes it down.");
        RackOptions rack = new(command);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            rack.Read(result, RackDirectory.UpNameOf(name.Read(result)));
            RackDirectory.Sweep();
            if (await KeeperClient.TryConnectToUpAsync(name.Read(result)) is { } already)
            {
                already.Dispose();
                throw ToolException.Usage(RackKeeper.AlreadyUp);
            }

            FallenRack.Tell(name.Read(result), "this one is new");
            // A name of its own: another `up` may be under way, whose keeper then has another one to say why it cannot.
            string messages = Path.Combine(HostPaths.Racks, $"keeper-{Environment.ProcessId}.log");
            File.WriteAllText(messages, "");
            using Process keeper = StartKeeper(result, messages);
            try
            {
                using KeeperClient client = await WaitForKeeperAsync(keeper, name.Read(result), messages);
                PsCommand.Print([(RackDirectory.UpNameOf(name.Read(result)), await client.DescribeAsync())]);
                return ExitStatus.Success;
            }
            finally
            {
                File.Delete(messages);
            }
        });
        return command;
    }

    public static Command CreateKeeper()
    {
        Command command = new("keep", "Keep a rack running (used by up).") { Hidden = true };
        RackOptions rack = new(command);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            string directory = RackDirectory.UpNameOf(name.Read(result));
            using CancellationTokenSource cancellation = new();
            TaskCompletionSource<int> signalled = new(TaskCreationOptions.RunContinuationsAsynchronously);
            void End(int number)
            {
                cancellation.Cancel();
                signalled.TrySetResult(number);
            }

            using SignalForwarder signals = new(End, End);
            await using RackKeeper keeper = await RackKeeper.BootAsync(
                rack.Read(result, directory) with { RestartsManager = true }, new Progress(ProgressStyle.Open), cancellation.Token);
            Task first = await Task.WhenAny(keeper.Failed, keeper.DownRequested, signalled.Task);
            if (first == keeper.Failed)
            {
                FallenRack.Note(HostPaths.Racks, directory, await keeper.Failed);
                throw ToolException.Rack(await keeper.Failed);
            }

            if (first == signalled.Task)
            {
                FallenRack.Note(HostPaths.Racks, directory, $"its keeper was ended by signal {await signalled.Task}");
            }

            string? trouble = await keeper.ShutDownAsync();
            await keeper.ConfirmDown(trouble);
            return ExitStatus.Success;
        });
        return command;
    }

    private static Process StartKeeper(ParseResult result, string messages)
    {
        // The same words, with keep in place of up. Relative paths in them stay right: the directory is the same.
        ProcessStartInfo info = new("setsid") { UseShellExecute = false };
        string[] wrapper = ["sh", "-c", "log=$1; shift; exec \"$@\" </dev/null >>\"$log\" 2>&1", "sh", messages, Environment.ProcessPath!,
            typeof(UpCommand).Assembly.Location, "keep"];
        Array.ForEach(wrapper, info.ArgumentList.Add);
        bool isAfterUp = false;
        foreach (Token token in result.Tokens)
        {
            if (isAfterUp)
            {
                info.ArgumentList.Add(token.Value);
            }

            isAfterUp |= token.Value == "up";
        }

        return Process.Start(info)!;
    }

    private static async Task<KeeperClient> WaitForKeeperAsync(Process keeper, string? name, string messages)
    {
        using IDisposable step = new Progress(ProgressStyle.Open).Step("booting the rack");
        while (true)
        {
            if (await KeeperClient.TryConnectToUpAsync(name) is { } client)
            {
                if (client.ProcessId == keeper.Id)
                {
                    return client;
                }

                // The rack of another `up`, which was quicker; the keeper that was started here is about to say so.
                client.Dispose();
            }

            if (keeper.HasExited)
            {
                string text = (await File.ReadAllTextAsync(messages)).Trim();
                throw new ToolException(keeper.ExitCode,
                    text.StartsWith("lego: ", StringComparison.Ordinal) ? text["lego: ".Length..] : text);
            }

            await Task.Delay(PollMs);
        }
    }
}
