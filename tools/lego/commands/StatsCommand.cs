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
        command.SetAction(async result =>
        {
            RackDirectory.Sweep();
            foreach (string directory in RackDirectory.Living())
            {
                using KeeperClient? client = await KeeperClient.TryConnectAsync(System.IO.Path.Combine(directory, "keeper"));
                if (client is not null)
                {
                    Print(await client.AllStatisticsAsync(), result.GetValue(json));
                    return ExitStatus.Success;
                }
            }

            FallenRack.Tell("its counters are gone");
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
