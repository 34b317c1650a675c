// What a request carries besides its body: on whose behalf it is sent, and how urgent it is.

namespace Lego.Fabric;

/// <summary>Urgency of a request. When the window or the link is full, lower values go first.</summary>
public enum RpcClass : byte
{
    /// <summary>A program stands still until it is answered.</summary>
    DemandFetch = 0,
    /// <summary>Makes room for demand fetches.</summary>
    WriteBack = 1,
    /// <summary>Useful only when it comes early.</summary>
    Prefetch = 2,
    /// <summary>Everything that nobody waits for.</summary>
    Background = 3,
}

/// <summary>The virtual node, the address space and the class of a request.</summary>
public struct RpcContext
{
    public ushort VNode;
    public uint Asid;
    public RpcClass Class;
}
