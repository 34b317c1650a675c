// `lego stats`: the counters of the running rack's components.

using System;
using System.CommandLine;
using System.Linq;

namespace Lego.Tool;

/// <summary>The stats command.</summary>
internal static class StatsCommand
{
    public static Command Create()
    {
        Command command = new("stats", "Print the counters of the rack that is running.");
        Option<bool> json = new("--json") { Description = "As JSON, as `run --stats` writes it." };
        command.Options.Add(json);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            if (name.Read(result) is not null)
            {
                using KeeperClient named = await name.ConnectAsync(result, "its counters are gone");
                Print(await named.AllStatisticsAsync(), result.GetValue(json));
                return ExitStatus.Success;
            }

            RackDirectory.Sweep();
            foreach (string directory in RackDirectory.Living())
            {
                using KeeperClient? client = await KeeperClient.TryConnectAsync(
                    System.IO.Path.Combine(directory, RackDirectory.SocketName));
                if (client is not null)
                {
                    Print(await client.AllStatisticsAsync(), result.GetValue(json));
                    return ExitStatus.Success;
                }
            }

            FallenRack.Tell(null, "its counters are gone");
            throw ToolException.Usage("no rack is running; `./lego up` boots one");
        });
        return command;
    }

    private static void Print(StatisticsDocument document, bool asJson)
    {
        if (asJson)
        {
            Console.WriteLine(document.ToJson());
            return;
        }

        TextTable.Print(["component", "counter", "value"],
            document.Components.SelectMany(c => c.Counters.Select(p => new[] { c.Name, p.Key, $"{p.Value}" })));
    }
}
