// The way to a destination, as the routes, addresses and path MTUs say at the moment.

namespace Lego.Kernel;

/// <summary>A decision of <see cref="IpRouter"/>.</summary>
public struct IpPath
{
    public int InterfaceIndex;
    /// <summary>Router, or the destination itself.</summary>
    public IpAddress NextHop;
    public IpAddress Source;
    /// <summary>Longest packet of the first link.</summary>
    public int LinkMtuBytes;
    /// <summary>Longest packet of the whole path, as far as it is known.</summary>
    public int MtuBytes;
}
