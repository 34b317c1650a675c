// The network stack of this component's programs, between its sockets and its thread. Whoever has called the stack settles it: what it sent
// to itself is delivered, not recursively, and the thread that keeps its timers hears of a deadline that has come nearer. Frames of cards
// are given to the stack by whoever owns them, who settles it afterwards. Nothing here blocks but the thread itself.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The stack and its clock.</summary>
public sealed unsafe class NetworkService : ThreadBody
{
    /// <summary>The parts of the component's memory that sockets may take for TCP's buffers and for packets.</summary>
    private const ulong ShareOfMemory = 8;

    /// <summary>Rounds of deliveries in one go; what is left is the thread's.</summary>
    private const int MostRounds = 16;

    private const int PagesOfConnection = 4;

    private WaitQueue _sooner;
    private ulong _nextLookNs = ulong.MaxValue;
    private bool _runs;

    /// <summary>Makes the stack; boot time.</summary>
    public NetworkService(FileSystem files, FrameSink sink)
    {
        ulong pages = files.Frames.FreePages / ShareOfMemory;
        NetworkLimits limits = new()
        {
            TcpPages = pages,
            PacketBytes = pages * PageOperations.PageSize / 2,
            Tcp = new TcpLimits
            {
                Connections = (int)Math.Min(Math.Max(pages * PagesOfConnection, 64), 32_768),
                ReceiveBufferBytes = (uint)Math.Min(pages * PageOperations.PageSize / 4, 4 << 20),
                SendBufferBytes = (uint)Math.Min(pages * PageOperations.PageSize / 4, 4 << 20),
            },
        };
        Stack = new NetworkStack(
            files.Frames, sink, new SocketEvents(this), limits, files.Processes.Random.NextWord(), files.Processes.Random.NextWord());
    }

    public NetworkStack Stack { get; }

    /// <summary>The time, told to the stack.</summary>
    public ulong Now()
    {
        ulong now = Clock.NowNs();
        Stack.Clock.NowNs = now;
        return now;
    }

    /// <summary>The stack has been called: delivers what it has sent to itself, and has its deadlines kept.</summary>
    public void Settle()
    {
        ulong now = Clock.NowNs();
        bool hasMore = true;
        for (int round = 0; round < MostRounds && hasMore; round++)
        {
            hasMore = Stack.Poll(now);
        }

        if (Stack.NextDeadlineNs < _nextLookNs)
        {
            Start();
        }
    }

    public override void Run(void* argument)
    {
        while (true)
        {
            ulong now = Clock.NowNs();
            Stack.OnTime(now);
            Stack.Poll(now);
            _nextLookNs = Stack.NextDeadlineNs;
            _sooner.WaitUntil(_nextLookNs);
        }
    }

    /// <summary>The thread looks at the stack anew; it is made with the first deadline.</summary>
    private void Start()
    {
        if (!_runs)
        {
            _runs = Scheduler.Spawn(this, null, "network"u8) != null;
            if (!_runs)
            {
                Log.Warn($"no memory for the network's thread; nothing is retransmitted until there is");
            }
        }

        _sooner.WakeAll();
    }

    /// <summary>Tells sockets what the stack says of theirs.</summary>
    private sealed class SocketEvents(NetworkService service) : NetworkEvents
    {
        public override void Changed(TcpConnection* connection)
        {
            Socket* socket = (Socket*)connection->Owner;
            if (socket != null)
            {
                InternetSockets.Tell(socket, InternetSockets.EventsOf(service.Stack.Tcp.Poll(connection)));
            }
        }

        public override void UrgentCame(TcpConnection* connection)
        {
            Socket* socket = (Socket*)connection->Owner;
            if (socket != null && socket->File != null)
            {
                SignalDrivenIo.TellOfUrgentData(socket->File);
            }
        }

        public override void Changed(DatagramEndpoint* endpoint)
        {
            Socket* socket = (Socket*)endpoint->Owner;
            if (socket != null)
            {
                InternetSockets.Tell(socket, InternetSockets.EventsOf(endpoint));
            }
        }
    }
}

/// <summary>Where frames go on a component without a card for its programs.</summary>
public sealed class NoCard : FrameSink
{
    public override bool Send(int interfaceIndex, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) => false;
}
