// Entry of the rack tool: the command tree, and the one place where errors become sentences and exit statuses. The launcher script `lego`
// in the repository's root builds what is needed and starts this.

using System;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

internal static class Program
{
    // Output is written with blocking calls; with as few pool threads as this host has cores, two blocked ones would stall the rest.
    private const int PoolThreads = 8;

    public static async Task<int> Main(string[] arguments)
    {
        ThreadPool.SetMinThreads(PoolThreads, PoolThreads);
        try
        {
            HostPaths.AddSystemDirectories();
            RootCommand root = CreateRoot();
            // A word that begins with @ is the program's, not the name of a response file.
            ParseResult result = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (result.Errors.Count > 0)
            {
                throw ToolException.Usage($"{result.Errors[0].Message} See ./lego {CommandName(result)}--help".Replace("\n", " "));
            }

            return await result.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
        }
        catch (ToolException error)
        {
            Console.Error.WriteLine($"lego: {error.Message}");
            return error.Status;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A full disk, a directory without permission: the host's trouble, in the host's words.
            Console.Error.WriteLine($"lego: {error.Message}");
            return ExitStatus.HostUnfit;
        }
    }

    private static RootCommand CreateRoot()
    {
        RootCommand root = new("LegoKernel's rack tool: boots racks of processor, memory, storage and manager components in QEMU and runs "
            + "unmodified Linux programs on them.");
        Command[] commands =
        [
            RunCommand.Create(), UpCommand.Create(), DownCommand.Create(), PsCommand.Create(), LogsCommand.Create(), StatsCommand.Create(),
            TopCommand.Create(), DashboardCommand.Create(), VolumeCommand.Create(), VNodeCommand.Create(),
            DrainCommand.Create(), DrainCommand.CreateUndo(),
            PublishCommand.Create(), DemoCommand.Create(), BenchCommand.Create(),
            TestCommand.Create(), GdbCommand.Create(), UpCommand.CreateKeeper(),
            SwitchCommand.Create(), WireCommand.Create(),
        ];
        foreach (Command command in commands)
        {
            root.Subcommands.Add(command);
        }
        // Without a command, the help and a failure, as git does.
        root.SetAction(result =>
        {
            root.Parse(["--help"]).Invoke();
            return ExitStatus.Usage;
        });
        return root;
    }

    private static string CommandName(ParseResult result)
    {
        string name = "";
        for (Symbol? command = result.CommandResult.Command; command is not null and not RootCommand; command = command.Parents.First())
        {
            name = $"{command.Name} {name}";
        }

        return name;
    }
}
