// `lego vnode`: virtual nodes of the rack that is up.

using System;
using System.CommandLine;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The vnode command and its subcommands.</summary>
internal static class VNodeCommand
{
    public static Command Create()
    {
        Command command = new("vnode",
            "Virtual nodes of the rack that is up. Programs of one (./lego run --vnode NAME) see its processes and its files and those of "
            + "no other, and share its limits. All share the rack's network.");
        command.Subcommands.Add(CreateCreate());
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(OnName("stop", "Kill all processes of a vNode.", (rack, name) => rack.StopVNodeAsync(name)));
        command.Subcommands.Add(OnName("rm", "Take a vNode away that has no processes. Its files stay on the volume.",
            (rack, name) => rack.RemoveVNodeAsync(name)));
        return command;
    }

    private static Command CreateCreate()
    {
        Command command = new("create", "Make a vNode.");
        Argument<string> name = Name();
        Option<string?> root = new("--root")
        {
            Description = "The directory of the rack's volume that its programs see as / (default: /vnodes/NAME, made with a copy of the "
                + "volume's programs and /etc when it is missing).",
            HelpName = "DIR",
        };
        Option<string?> memory = new("--memory")
        {
            Description = "Most memory of its programs on each processor component, as 64M; beyond, the largest of them is killed.",
            HelpName = "SIZE",
        };
        Option<string?> processes = new("--processes") { Description = "Most processes on each processor component.", HelpName = "N" };
        command.Arguments.Add(name);
        command.Options.Add(root);
        command.Options.Add(memory);
        command.Options.Add(processes);
        RackName rackName = new(command);
        command.SetAction(async result =>
        {
            VNodeOptions options = new()
            {
                Root = result.GetValue(root),
                MemoryBytes = result.GetValue(memory) is { } size ? ByteSize.Parse(size, "--memory") : 0,
                Processes = result.GetValue(processes) is { } count ? ParseCount(count) : 0,
            };
            await using Rack rack = await Rack.FindUpAsync(rackName.Read(result));
            await rack.CreateVNodeAsync(result.GetValue(name)!, options);
            return ExitStatus.Success;
        });
        return command;
    }

    private static Command CreateList()
    {
        Command command = new("list", "List the vNodes with what they use.");
        RackName rackName = new(command);
        command.SetAction(async result =>
        {
            await using Rack rack = await Rack.FindUpAsync(rackName.Read(result));
            string[] columns = ["name", "id", "processes", "memory", "stored", "limit", "cpu", "root"];
            TextTable.Print(columns, (await rack.VNodesAsync()).Select(v => new[]
            {
                v.Name, $"{v.Number}", $"{v.Processes}", $"{v.MemoryBytes / ByteSize.KiB}K", $"{v.StoredBytes / ByteSize.KiB}K",
                v.MemoryLimitBytes == 0 ? "-" : ByteSize.Format(v.MemoryLimitBytes),
                string.Create(CultureInfo.InvariantCulture, $"{v.CpuTime.TotalSeconds:0.00}s"), v.Root,
            }));
            return ExitStatus.Success;
        });
        return command;
    }

    private static Command OnName(string verb, string description, Func<Rack, string, Task> act)
    {
        Command command = new(verb, description);
        Argument<string> name = Name();
        command.Arguments.Add(name);
        RackName rackName = new(command);
        command.SetAction(async result =>
        {
            await using Rack rack = await Rack.FindUpAsync(rackName.Read(result));
            await act(rack, result.GetValue(name)!);
            return ExitStatus.Success;
        });
        return command;
    }

    private static Argument<string> Name() => new("NAME") { Description = "Letters, digits, '-', '_', '.'." };

    private static int ParseCount(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count > 0
            ? count
            : throw ToolException.Usage($"--processes: '{text}' is not a positive number");
}
