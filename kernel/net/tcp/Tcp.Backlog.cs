// Tcp: a listener's connections that no user has yet: those in SYN-RECEIVED, a list without an order, and those that wait for accept, a
// queue. Both are linked by ChildNext and ChildPrevious; a connection is in one of them at most, and Listener says whose. In TIME-WAIT the
// links are those of another queue (Tcp.cs).

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>A connection in SYN-RECEIVED, which its listener counts until it is established or over.</summary>
    private static void AddHalfOpen(TcpConnection* listener, TcpConnection* child)
    {
        child->ChildPrevious = null;
        child->ChildNext = listener->HalfOpenFirst;
        if (listener->HalfOpenFirst != null)
        {
            listener->HalfOpenFirst->ChildPrevious = child;
        }

        listener->HalfOpenFirst = child;
        listener->HalfOpenCount++;
    }

    private static void RemoveHalfOpen(TcpConnection* child)
    {
        TcpConnection* listener = child->Listener;
        if (child->ChildPrevious != null)
        {
            child->ChildPrevious->ChildNext = child->ChildNext;
        }
        else
        {
            listener->HalfOpenFirst = child->ChildNext;
        }

        if (child->ChildNext != null)
        {
            child->ChildNext->ChildPrevious = child->ChildPrevious;
        }

        child->ChildNext = null;
        child->ChildPrevious = null;
        child->Listener = null;
        listener->HalfOpenCount--;
    }

    /// <summary>An established connection, which waits to be accepted.</summary>
    private static void AddAcceptable(TcpConnection* listener, TcpConnection* child)
    {
        child->Listener = listener;
        child->Facts |= TcpFacts.AcceptQueued;
        child->ChildPrevious = listener->AcceptLast;
        child->ChildNext = null;
        if (listener->AcceptLast != null)
        {
            listener->AcceptLast->ChildNext = child;
        }
        else
        {
            listener->AcceptFirst = child;
        }

        listener->AcceptLast = child;
        listener->AcceptCount++;
    }

    /// <summary>Takes the oldest one out of its listener's queue.</summary>
    private static void RemoveAcceptable(TcpConnection* child)
    {
        TcpConnection* listener = child->Listener;
        listener->AcceptFirst = child->ChildNext;
        if (listener->AcceptFirst != null)
        {
            listener->AcceptFirst->ChildPrevious = null;
        }
        else
        {
            listener->AcceptLast = null;
        }

        child->ChildNext = null;
        child->ChildPrevious = null;
        child->Listener = null;
        child->Facts &= ~TcpFacts.AcceptQueued;
        listener->AcceptCount--;
    }

    /// <summary>All connections that nobody accepted are reset, and the port is given back unless the user has named it.</summary>
    private void CloseListener(TcpConnection* listener, ulong nowNs)
    {
        while (listener->HalfOpenFirst != null)
        {
            Reset(listener->HalfOpenFirst, Errno.None, nowNs);
        }

        while (listener->AcceptFirst != null)
        {
            TcpConnection* child = listener->AcceptFirst;
            RemoveAcceptable(child);
            child->Facts |= TcpFacts.Orphaned;
            if (child->State == TcpState.Closed)
            {
                Free(child);
            }
            else
            {
                Reset(child, Errno.None, nowNs);
            }
        }

        // A port that was asked for stays the socket's own until it is closed.
        if ((listener->Facts & (TcpFacts.PortNamed | TcpFacts.Orphaned)) == TcpFacts.PortNamed)
        {
            _table.RemoveListener(listener);
        }
        else
        {
            _table.Release(listener);
        }
    }
}
