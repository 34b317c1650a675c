// The states of a connection (RFC 9293, 3.3.2), in the order in which one passes through them, numbered as Linux's tcp_states.h does, which
// is what /proc/net/tcp and TCP_INFO show.

namespace Lego.Kernel;

/// <summary>RFC 9293's states.</summary>
public enum TcpState : byte
{
    Established = 1,
    SynSent = 2,
    SynReceived = 3,
    FinWait1 = 4,
    FinWait2 = 5,
    TimeWait = 6,
    Closed = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
}
