// Ports of this host's loopback for tests.

using System.Net;
using System.Net.Sockets;

namespace Lego.Rack.Tests;

/// <summary>TCP ports.</summary>
internal static class HostPorts
{
    /// <summary>A port that nobody listens on, for long enough.</summary>
    internal static int Free()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return Of(listener);
    }

    /// <summary>Where it listens.</summary>
    internal static int Of(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;
}
