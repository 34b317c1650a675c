// Who hears that something may have changed for a program: the sockets implement it. Called in the middle of the stack's work, so it may
// mark and wake, and must not call the stack.

namespace Lego.Kernel;

/// <summary>Changes of readiness.</summary>
public abstract unsafe class NetworkEvents
{
    /// <summary>A connection's or listener's readiness may have changed.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Changed(TcpConnection* connection);

    /// <summary>The peer of a connection has said that there is urgent data.</summary>
    [NoBlock]
    [NoAllocation]
    public virtual void UrgentCame(TcpConnection* connection)
    {
    }

    /// <summary>An endpoint's readiness may have changed.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Changed(DatagramEndpoint* endpoint);
}
