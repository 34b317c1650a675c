// Makes ports of a running machine's programs reachable on the host, by QEMU's monitor: the user network listens there and connects to the
// program for each who comes (qemu(1), hostfwd; there is no QMP command for it). One way for the ports that a rack is booted with and for
// those that come later. Clients may come in a burst: ListenBacklog.cs.

using System.Net;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Publishes ports.</summary>
internal static class PortPublisher
{
    /// <summary>Publishes a port of a machine, whose monitor listens at that path; null, or a sentence that says why not.</summary>
    public static async Task<string?> TryPublishAsync(int processId, string monitorPath, PublishedPort port)
    {
        if (port.WhyNotFree() is { } reason)
        {
            return $"cannot publish {port}: {reason}";
        }

        using MachineMonitor monitor = await MachineMonitor.ConnectAsync(monitorPath);
        string reply = await monitor.ExecuteHumanAsync($"hostfwd_add {CardArguments.ProgramsName} {port.ToForwarding()}");
        string complaint = reply.Trim('"').Replace("\\r\\n", " ").Trim();
        if (complaint.Length != 0)
        {
            return $"cannot publish {port}: {complaint}";
        }

        if (port.Protocol == PublishedProtocol.Tcp)
        {
            ListenBacklog.TryWiden(processId, new IPEndPoint(port.Address, port.HostPort));
        }

        return null;
    }
}
