// One end of a conversation: an address, a port, and the interface where the address is link-local.

namespace Lego.Kernel;

/// <summary>An address and a port.</summary>
public readonly struct SocketAddress
{
    public SocketAddress(IpAddress address, ushort port, uint scope = 0)
    {
        Address = address;
        Port = port;
        Scope = scope;
    }

    public IpAddress Address { get; }

    /// <summary>In the CPU's byte order; 0 = none.</summary>
    public ushort Port { get; }

    /// <summary>The interface of a link-local address (sin6_scope_id, RFC 3493); 0 = none is meant.</summary>
    public uint Scope { get; }

    public bool Equals(SocketAddress other) => Address.Equals(other.Address) && Port == other.Port && Scope == other.Scope;
}
