// A port of a program that the host can reach: what --publish says, as QEMU's user network takes it (qemu(1), hostfwd).

using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Lego.Racks;

/// <summary>What a published port carries.</summary>
public enum PublishedProtocol { Tcp, Udp }

/// <summary>Who connects to an address of the host reaches a port of the rack's programs.</summary>
/// <param name="Address">IPv4 address of the host that is listened on.</param>
/// <param name="HostPort">Port there.</param>
/// <param name="Port">Port that the program listens on.</param>
/// <param name="Protocol">What crosses it.</param>
public sealed record PublishedPort(IPAddress Address, int HostPort, int Port, PublishedProtocol Protocol)
{
    private const int HighestPort = 65535;

    /// <summary>Reads [ADDRESS:]HOSTPORT:PORT[/udp]; without an address the host's loopback.</summary>
    public static PublishedPort Parse(string text, string where)
    {
        string[] protocol = text.Split('/');
        PublishedProtocol kind = protocol.Length == 1
            ? PublishedProtocol.Tcp
            : RackFile.ParseEnum<PublishedProtocol>(protocol[^1], $"{where}: {text}");
        string[] parts = protocol[0].Split(':');
        if (protocol.Length > 2 || parts.Length is < 2 or > 3)
        {
            throw ToolException.Usage($"{where}: '{text}' is not [ADDRESS:]HOSTPORT:PORT[/udp]");
        }

        IPAddress? address = IPAddress.Loopback;
        if (parts.Length == 3 && (!IPAddress.TryParse(parts[0], out address) || address.AddressFamily != AddressFamily.InterNetwork))
        {
            throw ToolException.Usage($"{where}: '{parts[0]}' is not an IPv4 address of this host");
        }

        return new PublishedPort(address, ParsePort(parts[^2], text, where), ParsePort(parts[^1], text, where), kind);
    }

    /// <summary>The rule as QEMU writes it.</summary>
    internal string ToForwarding() => $"{ProtocolName}:{Address}:{HostPort}-:{Port}";

    /// <summary>The rule as the user writes it.</summary>
    public override string ToString() => $"{Address}:{HostPort}:{Port}" + (Protocol == PublishedProtocol.Udp ? "/udp" : "");

    /// <summary>A sentence that says why the host's end cannot be listened on; null when it can.</summary>
    internal string? WhyNotFree()
    {
        bool isStream = Protocol == PublishedProtocol.Tcp;
        using Socket probe = new(AddressFamily.InterNetwork, isStream ? SocketType.Stream : SocketType.Dgram,
            isStream ? ProtocolType.Tcp : ProtocolType.Udp);
        try
        {
            probe.Bind(new IPEndPoint(Address, HostPort));
            if (isStream)
            {
                probe.Listen();
            }

            return null;
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => $"{ProtocolName} port {HostPort} of {Address} is taken by another program of this host",
                SocketError.AccessDenied => $"only root may listen on {ProtocolName} port {HostPort}",
                SocketError.AddressNotAvailable => $"{Address} is not an address of this host",
                _ => $"{ProtocolName} port {HostPort} of {Address}: {error.Message}",
            };
        }
    }

    private string ProtocolName => Protocol == PublishedProtocol.Tcp ? "tcp" : "udp";

    private static int ParsePort(string text, string whole, string where) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= HighestPort
            ? port
            : throw ToolException.Usage($"{where}: {whole}: '{text}' is not a port (1 to {HighestPort})");
}
