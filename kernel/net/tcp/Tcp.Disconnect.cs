// Tcp: a socket that begins anew: its peer is forgotten (connect(2) with AF_UNSPEC), or its connect has failed. The connection's block is
// given back and another takes its place, with the settings and the name that the user has given it.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>
    /// Ends a connection or listener as <see cref="Abort"/> does; the pointer is no longer the user's, who goes on with the one returned:
    /// CLOSED, with its settings, and bound if it was. Null: no memory, and nothing has changed. <paramref name="any"/>: as Create's.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public TcpConnection* Disconnect(TcpConnection* connection, IpAddress any, ulong nowNs)
    {
        TcpConnection* fresh = Create(any);
        if (fresh == null)
        {
            return null;
        }

        Inherit(fresh, connection);
        bool isNamed = (connection->Facts & TcpFacts.PortNamed) != 0;
        // Linux shows the port of a connection that was, though it is free again; the next call tells of the end (tcp_disconnect).
        fresh->Local = new SocketAddress(connection->LocalAsNamed.Address, connection->Local.Port, connection->LocalAsNamed.Scope);
        fresh->LocalAsNamed = fresh->Local;
        fresh->Error = connection->State switch
        {
            TcpState.Closed or TcpState.Listen or TcpState.Closing or TcpState.LastAck or TcpState.TimeWait => connection->Error,
            _ => Errno.ECONNRESET,
        };
        connection->Filter = null;
        Abort(connection, nowNs);
        if (isNamed && _table.TryHold(fresh, isBound: true))
        {
            fresh->Facts |= TcpFacts.PortNamed;
        }

        return fresh;
    }

    /// <summary>What the user has set: listeners hand it on to their connections (tcp(7)).</summary>
    private static void Inherit(TcpConnection* connection, TcpConnection* from)
    {
        connection->Facts |= from->Facts & (TcpFacts.SendBufferFixed | TcpFacts.ReceiveBufferFixed);
        connection->Flags = from->Flags;
        connection->Congestion = from->Congestion;
        connection->SendLimit = from->SendLimit;
        connection->ReceiveLimit = from->ReceiveLimit;
        connection->KeepIdleSeconds = from->KeepIdleSeconds;
        connection->KeepIntervalSeconds = from->KeepIntervalSeconds;
        connection->KeepCount = from->KeepCount;
        connection->UserTimeoutMs = from->UserTimeoutMs;
        connection->UserMss = from->UserMss;
        connection->HopLimit = from->HopLimit;
        connection->TrafficClass = from->TrafficClass;
        connection->WindowClamp = from->WindowClamp;
        connection->FinTimeoutSeconds = from->FinTimeoutSeconds;
    }

    /// <summary>Linux lets a failed connect be tried again on the same socket once its error has been taken.</summary>
    private Errno ReviveFailed(TcpConnection* connection, in SocketAddress remote, ulong nowNs)
    {
        if (connection->Error != Errno.None || (connection->Facts & TcpFacts.WasEstablished) != 0)
        {
            return connection->Error == Errno.None ? Errno.ECONNABORTED : TakeError(connection);
        }

        connection->Facts &= TcpFacts.SendBufferFixed | TcpFacts.ReceiveBufferFixed | TcpFacts.Bound | TcpFacts.PortNamed;
        connection->Local = connection->LocalAsNamed;
        return Connect(connection, in remote, nowNs);
    }
}
