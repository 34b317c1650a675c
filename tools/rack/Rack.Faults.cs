// What a script can do to the machines of a running rack from outside, by QEMU and the host: kill, freeze, cut from the link, read memory.
// A killed component fails the rack, unless it was one of several (docs/operating.md). A frozen or cut one that comes back within the
// manager's patience (seven seconds, the boot word fail_ms) is as if nothing had been: messages are sent again.

using System;
using System.IO;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Racks;

public sealed partial class Rack
{
    /// <summary>Kills a component's machine, as a power failure would.</summary>
    public async Task KillAsync(string component)
    {
        ComponentLine found = await FindAsync(component);
        Syscall.kill(found.ProcessId, Signum.SIGKILL);
    }

    /// <summary>Stops a component's CPUs.</summary>
    public Task FreezeAsync(string component) => AskMonitorAsync(component, "stop", new { });

    /// <summary>Lets a frozen component's CPUs go on.</summary>
    public Task ThawAsync(string component) => AskMonitorAsync(component, "cont", new { });

    /// <summary>Pulls the cable of a component's card on link ethernet: frames of both directions are lost.</summary>
    /// <exception cref="ToolException">The rack has another link.</exception>
    public Task CutAsync(string component) => SetCableAsync(component, isPlugged: false);

    /// <summary>Puts the cable back.</summary>
    public Task MendAsync(string component) => SetCableAsync(component, isPlugged: true);

    /// <summary>Reads a component's physical memory while it runs.</summary>
    /// <param name="component">Its name.</param>
    /// <param name="address">The first byte's physical address.</param>
    /// <param name="bytes">How many; up to 3 GB of RAM lie from address 0.</param>
    public async Task<byte[]> PeekAsync(string component, ulong address, int bytes)
    {
        string file = Path.Combine(_directory, $"{component}-{Guid.NewGuid():N}.memory");
        try
        {
            await AskMonitorAsync(component, "pmemsave", new { val = address, size = bytes, filename = file });
            return await File.ReadAllBytesAsync(file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private async Task SetCableAsync(string component, bool isPlugged)
    {
        ComponentLine found = await FindAsync(component);
        if (found.Link != LinkKind.Ethernet)
        {
            throw ToolException.Usage($"{component} has no cable: its link is {found.Link.ToString().ToLowerInvariant()}, not ethernet");
        }

        await AskMonitorAsync(component, "set_link", new { name = CardArguments.FabricName, up = isPlugged });
    }

    private async Task AskMonitorAsync(string component, string command, object arguments)
    {
        await FindAsync(component);
        using MachineMonitor monitor = await MachineMonitor.ConnectAsync(Path.Combine(_directory, $"{component}.qmp"));
        await monitor.ExecuteAsync(command, arguments);
    }
}
