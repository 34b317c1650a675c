// Which connection has to be looked at next: a pairing heap (Fredman, Sedgewick, Sleator and Tarjan, "The pairing heap", 1986) whose nodes
// lie in the connections, so that it needs no memory and no bound. A connection has one node for all its timers. A timer that moves further
// away, which is what nearly every acknowledgment does to it, leaves the node where it is: it comes up early, and is put back then.

namespace Lego.Kernel;

/// <summary>A connection's place in the heap.</summary>
internal unsafe struct TimerNode
{
    /// <summary>When the connection is looked at; 0 = not in the heap.</summary>
    internal ulong DueNs;

    internal TcpConnection* Child;
    internal TcpConnection* Next;

    /// <summary>The previous one of the siblings, or the parent of the first.</summary>
    internal TcpConnection* Previous;
}

/// <summary>The connections in the order of their next look.</summary>
internal unsafe struct TcpTimers
{
    private TcpConnection* _root;

    /// <summary>The connection to look at first, or null.</summary>
    internal readonly TcpConnection* First => _root;

    /// <summary>Has the connection looked at no later than then.</summary>
    internal void Arm(TcpConnection* connection, ulong dueNs)
    {
        if (connection->Timer.DueNs != 0)
        {
            if (connection->Timer.DueNs <= dueNs)
            {
                return;
            }

            Remove(connection);
        }

        connection->Timer.DueNs = dueNs;
        _root = Meld(_root, connection);
    }

    /// <summary>Takes the connection out, if it is in.</summary>
    internal void Remove(TcpConnection* connection)
    {
        if (connection->Timer.DueNs == 0)
        {
            return;
        }

        TcpConnection* children = MeldPairs(connection->Timer.Child);
        if (connection == _root)
        {
            _root = children;
        }
        else
        {
            Unlink(connection);
            _root = Meld(_root, children);
        }

        connection->Timer = default;
    }

    private static void Unlink(TcpConnection* connection)
    {
        TcpConnection* previous = connection->Timer.Previous;
        if (previous->Timer.Child == connection)
        {
            previous->Timer.Child = connection->Timer.Next;
        }
        else
        {
            previous->Timer.Next = connection->Timer.Next;
        }

        if (connection->Timer.Next != null)
        {
            connection->Timer.Next->Timer.Previous = previous;
        }
    }

    /// <summary>Makes the later one of two roots the first child of the other.</summary>
    private static TcpConnection* Meld(TcpConnection* a, TcpConnection* b)
    {
        if (a == null || b == null)
        {
            return a == null ? b : a;
        }

        if (b->Timer.DueNs < a->Timer.DueNs)
        {
            TcpConnection* later = a;
            a = b;
            b = later;
        }

        b->Timer.Previous = a;
        b->Timer.Next = a->Timer.Child;
        if (b->Timer.Next != null)
        {
            b->Timer.Next->Timer.Previous = b;
        }

        a->Timer.Child = b;
        a->Timer.Next = null;
        a->Timer.Previous = null;
        return a;
    }

    /// <summary>Siblings become one heap: in pairs from the left, then the pairs from the right (without recursion).</summary>
    private static TcpConnection* MeldPairs(TcpConnection* first)
    {
        TcpConnection* pairs = null;
        while (first != null)
        {
            TcpConnection* a = first;
            TcpConnection* b = a->Timer.Next;
            first = b == null ? null : b->Timer.Next;
            a->Timer.Next = null;
            a->Timer.Previous = null;
            if (b != null)
            {
                b->Timer.Next = null;
                b->Timer.Previous = null;
            }

            TcpConnection* pair = Meld(a, b);
            pair->Timer.Next = pairs;
            pairs = pair;
        }

        TcpConnection* root = null;
        while (pairs != null)
        {
            TcpConnection* next = pairs->Timer.Next;
            pairs->Timer.Next = null;
            root = Meld(root, pairs);
            pairs = next;
        }

        return root;
    }
}
