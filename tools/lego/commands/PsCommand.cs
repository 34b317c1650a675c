// `lego ps`: the components of this checkout's running racks.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using Spectre.Console;

namespace Lego.Tool;

/// <summary>The ps command.</summary>
internal static class PsCommand
{
    public static Command Create()
    {
        Command command = new("ps", "List the components of running racks.");
        command.SetAction(async _ =>
        {
            RackDirectory.Sweep();
            List<(string Rack, List<ComponentLine> Components)> racks = [];
            foreach (string directory in RackDirectory.Living())
            {
                using KeeperClient? client = await KeeperClient.TryConnectAsync(Path.Combine(directory, RackDirectory.SocketName));
                if (client is not null)
                {
                    racks.Add((Path.GetFileName(directory), await client.DescribeAsync()));
                }
            }

            if (racks.Count > 0)
            {
                Print(racks);
            }
            else
            {
                FallenRack.Tell(null, "there is nothing to list");
                Console.WriteLine("no rack is running");
            }

            return ExitStatus.Success;
        });
        return command;
    }

    /// <summary>Prints the components of racks; a rack is named by its directory.</summary>
    public static void Print(IEnumerable<(string Rack, List<ComponentLine> Components)> racks)
    {
        string[] headers = ["name", "kind", "node", "process", "memory", "cpus", "link", "state", "rack"];
        IEnumerable<string[]> rows = racks.SelectMany(rack => rack.Components.Select(c => new[]
        {
            c.Name, Lower(c.Kind), $"{c.Node}", $"{c.ProcessId}", ByteSize.Format(c.MemoryBytes), $"{c.Cpus}", Lower(c.Link), c.State,
            rack.Rack,
        }));
        TextTable.Print(headers, rows);
    }

    private static string Lower(Enum value) => value.ToString().ToLowerInvariant();
}
