// The clients of a rack's keeper: accepts them on the rack's unix socket, gives each program a session number at the manager, and hands the
// manager's frames to the client that owns the session.

using System;
using System.Collections.Concurrent;
using System.IO;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Serves clients.</summary>
internal sealed class KeeperServer : IDisposable
{
    private readonly RackKeeper _keeper;
    private readonly Socket _listener;
    private readonly ConcurrentDictionary<KeeperConnection, Task> _connections = new();
    private readonly ConcurrentDictionary<ushort, KeeperConnection> _sessions = new();
    private readonly TaskCompletionSource _downRequested = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _accepting;
    private KeeperConnection? _downClient;
    private int _lastSession;

    public KeeperServer(RackKeeper keeper, string socketPath)
    {
        _keeper = keeper;
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        // Bound under another name first: a socket that has its final name also accepts.
        string early = socketPath + ".new";
        _listener.Bind(new UnixDomainSocketEndPoint(early));
        _listener.Listen();
        File.Move(early, socketPath);
        _accepting = AcceptAsync();
    }

    /// <summary>Completes when a client wants the rack down.</summary>
    public Task DownRequested => _downRequested.Task;

    public RackKeeper Keeper => _keeper;

    /// <summary>A frame of a session, or one for everybody, from the manager. Never waits for a client.</summary>
    public void HandleSessionFrame(ControlFrame frame)
    {
        if (frame.Type == ControlFrameType.MemberFailed)
        {
            BroadcastFailure(frame.Text());
        }
        else if (_sessions.TryGetValue(frame.Session, out KeeperConnection? client))
        {
            client.Enqueue(frame.Type == ControlFrameType.ProgramLost
                ? ControlFrame.WithText(ControlFrameType.MemberFailed, _keeper.WhyLost((int)frame.Number(0)))
                : frame);
            if (frame.Type is ControlFrameType.Exited or ControlFrameType.VNodeReply or ControlFrameType.DrainReply)
            {
                _sessions.TryRemove(frame.Session, out _);
            }
        }
    }

    /// <summary>Tells every client that the rack has failed.</summary>
    public void BroadcastFailure(string sentence)
    {
        foreach (KeeperConnection client in _connections.Keys)
        {
            client.Enqueue(ControlFrame.WithText(ControlFrameType.MemberFailed, sentence));
        }
    }

    /// <summary>Sends a session's frame to the component that starts programs.</summary>
    public Task<bool> SendToManagerAsync(ControlFrame frame) => _keeper.Find(_keeper.Rack.StartingComponent.Name)!.SendAsync(frame);

    /// <summary>Gives a client a session number of its own, when there is a manager for it.</summary>
    public async Task<ushort> OpenSessionAsync(KeeperConnection client)
    {
        while (true)
        {
            Task manager = _keeper.ManagerReady;
            await manager;
            ushort session = OpenSession(client);
            // One that goes meanwhile may or may not have told this session.
            if (manager == _keeper.ManagerReady || !CloseSession(session))
            {
                return session;
            }
        }
    }

    /// <summary>Tells the clients of all programs that the manager has taken their sessions along.</summary>
    public void EndSessions(string sentence)
    {
        foreach (ushort session in _sessions.Keys)
        {
            if (_sessions.TryRemove(session, out KeeperConnection? client))
            {
                client.Enqueue(ControlFrame.WithText(ControlFrameType.MemberFailed, sentence));
            }
        }
    }

    private ushort OpenSession(KeeperConnection client)
    {
        while (true)
        {
            // 0 is no session; after 65535 programs numbers are used again, unless their program still runs.
            ushort session = (ushort)Interlocked.Increment(ref _lastSession);
            if (session != 0 && _sessions.TryAdd(session, client))
            {
                return session;
            }
        }
    }

    /// <summary>Forgets a session whose client has gone; true when its program has not ended.</summary>
    public bool CloseSession(ushort session) => _sessions.TryRemove(session, out _);

    public void RequestDown(KeeperConnection client)
    {
        _downClient = client;
        _downRequested.TrySetResult();
    }

    /// <summary>Answers the client that asked for the end.</summary>
    public async Task ConfirmDownAsync(string? trouble)
    {
        if (_downClient is { } client)
        {
            client.Enqueue(ControlFrame.WithText(ControlFrameType.DownReply, trouble ?? ""));
            await client.DrainAsync();
        }
    }

    /// <summary>No client can come any more.</summary>
    public async Task StopListeningAsync()
    {
        _listener.Dispose();
        await _accepting;
    }

    /// <summary>Ends the clients' connections; nobody listens any more.</summary>
    public void Dispose()
    {
        foreach (KeeperConnection client in _connections.Keys)
        {
            client.Dispose();
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            try
            {
                KeeperConnection client = new(this, await _listener.AcceptAsync());
                _connections[client] = ServeAsync(client);
                if (_keeper.Failed.IsCompleted)
                {
                    client.Enqueue(ControlFrame.WithText(ControlFrameType.MemberFailed, await _keeper.Failed));
                }
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(KeeperConnection client)
    {
        await Task.Yield();
        await client.ServeAsync();
        client.Dispose();
        _connections.TryRemove(client, out _);
    }
}
