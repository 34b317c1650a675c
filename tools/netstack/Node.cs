// One node: a stack, the frames that it has sent and nobody has taken yet, and its sockets by number.

using System;
using Lego.Kernel;

namespace Lego.NetStack;

/// <summary>A stack with one card and numbered sockets.</summary>
public sealed unsafe class Node
{
    /// <summary>Pages of memory that a node wants at least: 4 MB.</summary>
    public const ulong LeastPages = 1024;

    private const ulong ShareOfMemory = 4;
    private const uint MostBufferBytes = 4 << 20;

    public Node(FrameAllocator frames, ulong hardwareAddress, int mtuBytes, ulong seed, ulong nowNs)
    {
        Sent = new SentFrames(frames);
        Sockets = new SocketTable(frames);
        ulong pages = frames.FreePages / ShareOfMemory;
        uint bufferBytes = (uint)Math.Min(pages * PageOperations.PageSize / ShareOfMemory, MostBufferBytes);
        NetworkLimits limits = new()
        {
            TcpPages = pages,
            PacketBytes = pages * PageOperations.PageSize,
            Tcp = new TcpLimits { Connections = SocketTable.Capacity, ReceiveBufferBytes = bufferBytes, SendBufferBytes = bufferBytes },
        };
        // Equal seeds give equal runs, to the byte.
        Stack = new NetworkStack(frames, Sent, new NobodyListens(), limits, seed, ~seed);
        Interface = Stack.AddInterface(hardwareAddress, mtuBytes, nowNs);
    }

    public NetworkStack Stack { get; }

    public SentFrames Sent { get; }

    public SocketTable Sockets { get; }

    /// <summary>The card's number; the loopback's is 1.</summary>
    public int Interface { get; }

    /// <summary>Delivers what the node has sent to itself.</summary>
    public void Settle()
    {
        while (Stack.Poll(Stack.Clock.NowNs))
        {
        }
    }

    /// <summary>Lets time go by, from one deadline to the next.</summary>
    public void Advance(ulong nowNs)
    {
        while (Stack.NextDeadlineNs <= nowNs)
        {
            Stack.OnTime(Math.Max(Stack.Clock.NowNs, Stack.NextDeadlineNs));
            Settle();
        }

        Stack.OnTime(Math.Max(Stack.Clock.NowNs, nowNs));
        Settle();
    }

    /// <summary>Callers poll.</summary>
    private sealed class NobodyListens : NetworkEvents
    {
        public override void Changed(TcpConnection* connection)
        {
        }

        public override void Changed(DatagramEndpoint* endpoint)
        {
        }
    }
}
