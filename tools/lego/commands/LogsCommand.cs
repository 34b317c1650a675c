// `lego logs`: what the images printed on their serial ports, of the rack that runs or else of the last one.

using System;
using System.CommandLine;
using System.IO;
using System.Linq;

namespace Lego.Tool;

/// <summary>The logs command.</summary>
internal static class LogsCommand
{
    public static Command Create()
    {
        Command command = new("logs", "Print the components' logs: of the rack that is running, or else of the last one.");
        Argument<string?> component = new("COMPONENT")
        {
            Description = "Only this component, for example m0.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        command.Arguments.Add(component);
        RackName name = new(command);
        command.SetAction(result =>
        {
            RackDirectory.Sweep();
            string? rack = name.Read(result);
            string directory = RackDirectory.Living(rack).FirstOrDefault()
                ?? (rack is null ? HostPaths.LastLogs : throw ToolException.Usage($"no rack {rack} is up; `./lego ps` lists them"));
            string? wanted = result.GetValue(component);
            string[] logs = Directory.Exists(directory)
                ? [.. Directory.EnumerateFiles(directory, "*.log").Order(StringComparer.Ordinal)]
                : [];
            string[] chosen = [.. logs.Where(l => wanted is null || Path.GetFileNameWithoutExtension(l) == wanted)];
            if (chosen.Length == 0)
            {
                string known = string.Join(", ", logs.Select(Path.GetFileNameWithoutExtension));
                throw ToolException.Usage(wanted is null || known.Length == 0
                    ? "no rack has run yet"
                    : $"there is no {wanted}; there are logs of {known}");
            }

            foreach (string log in chosen)
            {
                Print(log, withName: wanted is null);
            }

            return ExitStatus.Success;
        });
        return command;
    }

    private static void Print(string log, bool withName)
    {
        string prefix = withName ? Path.GetFileNameWithoutExtension(log) + " | " : "";
        foreach (string line in SerialLog.Read(log).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Console.WriteLine(prefix + line.TrimEnd('\r'));
        }
    }
}
