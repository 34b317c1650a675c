// The option --name, shared by the commands about racks that are up: which of several.

using System.CommandLine;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Adds the option to a command and finds the rack.</summary>
internal sealed class RackName
{
    private readonly Option<string?> _name = new("--name")
    {
        Description = "The rack that was brought up with this name; without it the one without a name.",
        HelpName = "NAME",
    };

    public RackName(Command command)
    {
        command.Options.Add(_name);
    }

    /// <summary>The name, or null.</summary>
    /// <exception cref="ToolException">It is none.</exception>
    public string? Read(ParseResult result)
    {
        string? name = result.GetValue(_name);
        RackDirectory.UpNameOf(name);
        return name;
    }

    /// <summary>Connects to the rack; when it has died, says why, and what follows from it.</summary>
    /// <exception cref="ToolException">It is not up.</exception>
    public async Task<KeeperClient> ConnectAsync(ParseResult result, string consequence)
    {
        string? name = Read(result);
        RackDirectory.Sweep();
        if (await KeeperClient.TryConnectToUpAsync(name) is { } client)
        {
            return client;
        }

        FallenRack.Tell(name, consequence);
        throw ToolException.Usage(name is null ? "no rack is up; `./lego up` boots one" : $"no rack {name} is up; `./lego ps` lists them");
    }
}
