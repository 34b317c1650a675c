// The choice of a port for those who name none (RFC 6056, 3.3.1, algorithm 1): from a random one on, the first that is free. The range
// is Linux's (net.ipv4.ip_local_port_range).

namespace Lego.Kernel;

/// <summary>The range, and where a search begins.</summary>
public static class EphemeralPorts
{
    public const ushort First = 32768;
    public const ushort Last = 60999;
    public const int Count = Last - First + 1;

    /// <summary>The port of a step of a search that begins at a random number.</summary>
    public static ushort At(ulong start, int step) => (ushort)(First + (int)((start + (ulong)step) % Count));
}
