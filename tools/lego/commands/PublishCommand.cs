// `lego publish`: makes a port of programs reachable on the host while the rack is up.

using System.CommandLine;

namespace Lego.Tool;

/// <summary>The publish command.</summary>
internal static class PublishCommand
{
    public static Command Create()
    {
        Command command = new("publish", "Make ports of the programs on the rack that is up reachable on this host.");
        Argument<string[]> ports = new("PORT")
        {
            Description = "[ADDRESS:]HOSTPORT:PORT[/udp]; the address is 127.0.0.1 unless given.",
            Arity = ArgumentArity.OneOrMore,
        };
        command.Arguments.Add(ports);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            using KeeperClient client = await name.ConnectAsync(result, "its ports are gone");

            foreach (string text in result.GetValue(ports)!)
            {
                PublishedPort port = PublishedPort.Parse(text, "publish");
                string trouble = await client.PublishAsync(port);
                if (trouble.Length > 0)
                {
                    throw ToolException.Host(trouble);
                }
            }

            return ExitStatus.Success;
        });
        return command;
    }
}
