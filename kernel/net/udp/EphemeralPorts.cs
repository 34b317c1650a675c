// The choice of a port for those who name none: from some one on, the first that is free. UDP begins at a random one (RFC 6056, 3.3.1,
// algorithm 1), TCP goes on from where it was (TcpTable). The range is Linux's (net.ipv4.ip_local_port_range).

namespace Lego.Kernel;

/// <summary>The range, and where a search begins.</summary>
public static class EphemeralPorts
{
    public const ushort First = 32768;
    public const ushort Last = 60999;
    public const int Count = Last - First + 1;

    /// <summary>The port of a step of a search that begins at any number.</summary>
    public static ushort At(ulong start, int step) => (ushort)(First + (int)((start + (ulong)step) % Count));
}
