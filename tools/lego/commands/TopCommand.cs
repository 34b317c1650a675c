// `lego top`: what the components of a rack that is up are doing, in place on a terminal until Ctrl-C; elsewhere, or with --once, one
// table.

using System;
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;
using Spectre.Console;

namespace Lego.Tool;

/// <summary>The top command.</summary>
internal static class TopCommand
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        Command command = new("top",
            "Watch the components of the rack that is up: share of a host core, memory, page faults and how many of them needed no "
            + "message, lines fetched and written back, messages and kilobytes; rates are a second.");
        RackName name = new(command);
        Option<bool> once = new("--once") { Description = "Print one table, of one second, and end; so without a terminal." };
        command.Options.Add(once);
        command.SetAction(async (result, cancellation) =>
        {
            using KeeperClient client = await name.ConnectAsync(result, "there is nothing to watch");
            if (result.GetValue(once) || Console.IsOutputRedirected)
            {
                TopSample before = await TopSample.TakeAsync(client);
                await Task.Delay(s_interval, cancellation);
                TextTable.Print(TopTable.Headers, TopTable.Rows(before, await TopSample.TakeAsync(client)));
            }
            else
            {
                using CancellationTokenSource stop = new();
                using SignalForwarder signals = new(_ => stop.Cancel(), _ => stop.Cancel());
                await WatchAsync(client, stop.Token);
            }

            return ExitStatus.Success;
        });
        return command;
    }

    private static Task WatchAsync(KeeperClient client, CancellationToken cancellation) =>
        AnsiConsole.Live(new Text("")).StartAsync(async live =>
        {
            TopSample before = await TopSample.TakeAsync(client);
            while (!cancellation.IsCancellationRequested)
            {
                await Task.Delay(s_interval, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                TopSample now = await TopSample.TakeAsync(client);
                live.UpdateTarget(TextTable.Make(TopTable.Headers, TopTable.Rows(before, now)));
                before = now;
            }
        });
}
