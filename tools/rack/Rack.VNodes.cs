// vNodes of a running rack, for scripts: virtual machines of the rack, each with processes, files and limits of its own
// (docs/architecture.md, "vNodes"). ProgramOptions.VNode runs a program in one.

using System.Collections.Generic;
using System.Threading.Tasks;

namespace Lego.Racks;

public sealed partial class Rack
{
    /// <summary>Makes the tree of a vNode from what the volume has: $1 is its directory.</summary>
    private const string MakeTree =
        "[ -d \"$1\" ] && exit 0; set -e; t=\"$1.new\"; rm -rf \"$t\"; mkdir -p \"$t\"; cd /; "
        + "for d in bin sbin lib lib64 etc usr; do if [ -e $d ] || [ -h $d ]; then cp -a $d \"$t\"; fi; done; "
        + "mkdir -p \"$t/dev\" \"$t/proc\" \"$t/sys\" \"$t/root\" \"$t/home\" \"$t/run\" \"$t/tmp\" \"$t/var/tmp\"; "
        + "chmod 1777 \"$t/tmp\" \"$t/var/tmp\"; mv \"$t\" \"$1\"";

    /// <summary>Makes a vNode; its number.</summary>
    /// <exception cref="ToolException">The name is taken, or its root is not there.</exception>
    public async Task<int> CreateVNodeAsync(string name, VNodeOptions? options = null)
    {
        options ??= new VNodeOptions();
        VNodeCommands.Check(name, options);
        if (options.Root is null)
        {
            ProgramResult made = await RunAsync("sh", "-c", MakeTree, "sh", VNodeCommands.RootOf(name, options));
            if (made.Status != 0)
            {
                throw ToolException.Rack($"vnode {name}: its tree could not be made: {made.Error.Trim()}");
            }
        }

        using KeeperClient client = await ConnectAsync();
        return await VNodeCommands.CreateAsync(client, name, options);
    }

    /// <summary>All vNodes, with what they use.</summary>
    public async Task<IReadOnlyList<VNodeLine>> VNodesAsync()
    {
        using KeeperClient client = await ConnectAsync();
        return await VNodeCommands.ListAsync(client);
    }

    /// <summary>Kills all processes of a vNode; when this returns there are none.</summary>
    public async Task StopVNodeAsync(string name)
    {
        using KeeperClient client = await ConnectAsync();
        await VNodeCommands.StopAsync(client, name);
    }

    /// <summary>Takes a vNode away that has no processes; its files stay.</summary>
    public async Task RemoveVNodeAsync(string name)
    {
        using KeeperClient client = await ConnectAsync();
        await VNodeCommands.RemoveAsync(client, name);
    }
}
