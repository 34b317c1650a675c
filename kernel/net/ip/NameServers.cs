// The name servers that DHCP (RFC 2132, 3.8) and routers (RFC 8106) have named, for /etc/resolv.conf.

namespace Lego.Kernel;

/// <summary>A short list without doubles, newest sources last.</summary>
public sealed class NameServers
{
    /// <summary>glibc asks three (MAXNS); a few more may be known.</summary>
    private const int Capacity = 8;

    private readonly IpAddress[] _servers = new IpAddress[Capacity];

    public int Count { get; private set; }

    public IpAddress this[int index] => _servers[index];

    /// <summary>Adds one; does nothing when it is known or the list is full.</summary>
    public void Add(IpAddress server)
    {
        for (int index = 0; index < Count; index++)
        {
            if (_servers[index].Equals(server))
            {
                return;
            }
        }

        if (Count < Capacity && !server.IsUnspecified && !server.IsMulticast)
        {
            _servers[Count++] = server;
        }
    }

    /// <summary>Forgets all of one version.</summary>
    public void Clear(bool isV4)
    {
        int kept = 0;
        for (int index = 0; index < Count; index++)
        {
            if (_servers[index].IsV4 != isV4)
            {
                _servers[kept++] = _servers[index];
            }
        }

        Count = kept;
    }
}
