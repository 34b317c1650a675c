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
        Argument<string> component = new("COMPONENT") { Description = "For example p0." };
        Argument<string[]> more = new("GDB-ARGUMENT")
        {
            Description = "Further arguments of gdb, after --.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        command.Arguments.Add(component);
        command.Arguments.Add(more);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            RackDirectory.Sweep();
            if (!HostPaths.HasProgram("gdb"))
            {
                throw ToolException.Host("gdb is missing; install it with: apt-get install --no-install-recommends gdb");
            }

            string wanted = result.GetRequiredValue(component);
            foreach (string directory in RackDirectory.Living(name.Read(result)))
            {
                using KeeperClient? client = await KeeperClient.TryConnectAsync(Path.Combine(directory, RackDirectory.SocketName));
                ComponentLine? found = client is null ? null : (await client.DescribeAsync()).FirstOrDefault(c => c.Name == wanted);
                if (found is null)
                {
                    continue;
                }

                string stub = Path.Combine(directory, found.Name + ".gdb");
                using (MachineMonitor monitor = await MachineMonitor.ConnectAsync(Path.Combine(directory, found.Name + ".qmp")))
                {
                    await monitor.ExecuteHumanAsync($"gdbserver unix:{stub},server=on,wait=off");
                }

                return Debug(HostPaths.Image(found.Image), stub, result.GetValue(more) ?? []);
            }

            FallenRack.Tell(name.Read(result), "there is nothing to debug");
            throw ToolException.Usage(name.Read(result) is { } rack
                ? $"no rack {rack} with a component {wanted} is up; `./lego ps` lists them"
                : $"no running rack has a component {wanted}; start one with ./lego up and see ./lego ps");
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
