// What a request carries besides its body: on whose behalf it is sent, and of which class it is.

namespace Lego.Fabric;

/// <summary>
/// What kind of traffic a request is. Each class has a part of the window for itself (CallWindow.cs), so that one that is full holds back
/// no other; where they share, lower values go first.
/// </summary>
public enum RpcClass : byte
{
    /// <summary>
    /// A program stands still until it is answered, and the answer takes the target no longer than a look into its tables.
    /// </summary>
    DemandFetch = 0,
    /// <summary>Makes room for demand fetches.</summary>
    WriteBack = 1,
    /// <summary>
    /// Contents of files and programs, lists of ranges: long messages. A call too long for its own class becomes one of these.
    /// </summary>
    Transfer = 2,
    /// <summary>Standard streams: a program or a person may take any time over them.</summary>
    Stream = 3,
    /// <summary>Useful only when it comes early.</summary>
    Prefetch = 4,
    /// <summary>Everything that nobody waits for.</summary>
    Background = 5,
    /// <summary>Membership: what proves that a component lives. Short, one at a time, and therefore never without room.</summary>
    Liveness = 6,
}

/// <summary>The virtual node, the address space and the class of a request.</summary>
public struct RpcContext
{
    public ushort VNode;
    public uint Asid;
    public RpcClass Class;

    /// <summary>The same in another class.</summary>
    public readonly RpcContext As(RpcClass other) => new() { VNode = VNode, Asid = Asid, Class = other };
}
