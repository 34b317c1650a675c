// `lego gdb`: attaches gdb to a component of the running rack, through QEMU's debugger stub, with the image's symbols and source lines. The
// machine stands still while gdb has it; quitting gdb lets it go on.

using System.CommandLine;
using System.Diagnostics;
using System.IO;
using System.Linq;

namespace Lego.Tool;

/// <summary>The gdb command.</summary>
internal static class GdbCommand
{
    public static Command Create()
    {
        Command command = new("gdb", "Debug a component of the running rack (./lego up) with gdb: symbols, source lines, breakpoints.");
        Argument<string> name = new("COMPONENT") { Description = "For example p0." };
        Argument<string[]> more = new("GDB-ARGUMENT")
        {
            Description = "Further arguments of gdb, after --.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        command.Arguments.Add(name);
        command.Arguments.Add(more);
        command.SetAction(async result =>
        {
            RackDirectory.Sweep();
            if (!HostPaths.HasProgram("gdb"))
            {
                throw ToolException.Host("gdb is missing; install it with: apt-get install --no-install-recommends gdb");
            }

            string wanted = result.GetRequiredValue(name);
            foreach (string directory in RackDirectory.Living())
            {
                using KeeperClient? client = await KeeperClient.TryConnectAsync(Path.Combine(directory, "keeper"));
                ComponentLine? component = client is null ? null : (await client.DescribeAsync()).FirstOrDefault(c => c.Name == wanted);
                if (component is null)
                {
                    continue;
                }

                string stub = Path.Combine(directory, component.Name + ".gdb");
                using (MachineMonitor monitor = await MachineMonitor.ConnectAsync(Path.Combine(directory, component.Name + ".qmp")))
                {
                    await monitor.ExecuteHumanAsync($"gdbserver unix:{stub},server=on,wait=off");
                }

                return Debug(HostPaths.Image(component.Kind.ToString().ToLowerInvariant()), stub, result.GetValue(more) ?? []);
            }

            FallenRack.Tell("there is nothing to debug");
            throw ToolException.Usage($"no running rack has a component {wanted}; start one with ./lego up and see ./lego ps");
        });
        return command;
    }

    private static int Debug(string image, string stub, string[] more)
    {
        string[] arguments = ["-q", "-ex", "set confirm off", "-ex", $"target remote {stub}", .. more, image];
        using Process gdb = Process.Start(new ProcessStartInfo("gdb", arguments))!;
        gdb.WaitForExit();
        return gdb.ExitCode;
    }
}
