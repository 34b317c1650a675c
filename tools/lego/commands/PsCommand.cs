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
            int racks = 0;
            foreach (string directory in RackDirectory.Living())
            {
                using KeeperClient? client = await KeeperClient.TryConnectAsync(Path.Combine(directory, "keeper"));
                if (client is not null)
                {
                    racks++;
                    Print(await client.DescribeAsync());
                }
            }

            if (racks == 0)
            {
                FallenRack.Tell("there is nothing to list");
                Console.WriteLine("no rack is running");
            }

            return ExitStatus.Success;
        });
        return command;
    }

    /// <summary>Prints one rack.</summary>
    public static void Print(IReadOnlyList<ComponentLine> components)
    {
        string[] headers = ["name", "kind", "node", "process", "memory", "cpus", "link", "state"];
        IEnumerable<string[]> rows = components.Select(c => new[]
        {
            c.Name, Lower(c.Kind), $"{c.Node}", $"{c.ProcessId}", ByteSize.Format(c.MemoryBytes), $"{c.Cpus}", Lower(c.Link), c.State,
        });
        TextTable.Print(headers, rows);
    }

    private static string Lower(Enum value) => value.ToString().ToLowerInvariant();
}
