// `lego down`: flushes what the rack's file caches hold and ends its machines in good order.

using System;
using System.CommandLine;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The down command.</summary>
internal static class DownCommand
{
    public static Command Create()
    {
        Command command = new("down", "Take down the rack that `up` started.");
        RackName name = new(command);
        command.SetAction(async result =>
        {
            RackDirectory.Sweep();
            using KeeperClient? client = await KeeperClient.TryConnectToUpAsync(name.Read(result));
            if (client is null)
            {
                FallenRack.Tell(name.Read(result), "there is nothing to take down");
                Console.Error.WriteLine(name.Read(result) is { } rack ? $"lego: no rack {rack} is up" : "lego: no rack is up");
                return ExitStatus.Success;
            }

            using IDisposable step = new Progress(ProgressStyle.Open).Step("taking the rack down");
            string trouble = await client.DownAsync();
            return trouble.Length == 0 ? ExitStatus.Success : throw ToolException.Rack(trouble);
        });
        return command;
    }
}
