// The way from the switch to one machine. A datagram goes out at once where the machine's socket has room (a handful of datagrams, the
// kernel's max_dgram_qlen); else it waits here, and a thread of this port sends it when there is room again. Send never blocks.
//
// Invariant: while frames wait, all frames go through the queue, so that they keep their order.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using System.Threading;

namespace Lego.Racks;

/// <summary>Sends frames to one machine.</summary>
internal sealed class OutputPort : IDisposable
{
    /// <summary>Frames that wait for a machine; more than it can have asked for in one go.</summary>
    private const int MostWaiting = 512;
    private const int WritablePollMicroseconds = 100_000;
    private const int BufferBytes = 4 << 20;

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _hasWaiting = new(0);
    private readonly Queue<byte[]> _waiting = [];
    private readonly string _path;
    private Socket? _socket;
    private volatile bool _isDisposed;

    public OutputPort(string path)
    {
        _path = path;
        new Thread(Drain) { IsBackground = true, Name = $"to {path}" }.Start();
    }

    private enum Outcome
    {
        /// <summary>Sent; or lost, as on a wire whose far end is not there.</summary>
        Gone,
        NoRoom,
    }

    /// <summary>Sends a frame now or later; drops it when too many wait.</summary>
    public void Send(ReadOnlySpan<byte> frame)
    {
        lock (_lock)
        {
            if ((_waiting.Count == 0 && TrySend(frame) == Outcome.Gone) || _waiting.Count >= MostWaiting)
            {
                return;
            }

            _waiting.Enqueue(frame.ToArray());
            if (_waiting.Count == 1)
            {
                _hasWaiting.Release();
            }
        }
    }

    public void Dispose()
    {
        _isDisposed = true;
        _hasWaiting.Release();
        lock (_lock)
        {
            _socket?.Dispose();
        }
    }

    private void Drain()
    {
        while (!_isDisposed)
        {
            _hasWaiting.Wait();
            while (!_isDisposed && DrainSome() is { } full)
            {
                WaitForRoom(full);
            }
        }
    }

    /// <summary>Sends what waits. The socket that has no room; null: nothing waits any more.</summary>
    private Socket? DrainSome()
    {
        lock (_lock)
        {
            while (_waiting.TryPeek(out byte[]? frame))
            {
                if (TrySend(frame) == Outcome.NoRoom)
                {
                    return _socket;
                }

                _waiting.Dequeue();
            }

            return null;
        }
    }

    private static void WaitForRoom(Socket socket)
    {
        try
        {
            socket.Poll(WritablePollMicroseconds, SelectMode.SelectWrite);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The next attempt to send finds out what has become of it.
        }
    }

    private Outcome TrySend(ReadOnlySpan<byte> frame)
    {
        Socket? socket = _socket ??= TryConnect();
        if (socket is null)
        {
            return Outcome.Gone;
        }

        socket.Send(frame, SocketFlags.None, out SocketError error);
        if (error == SocketError.WouldBlock)
        {
            return Outcome.NoRoom;
        }

        if (error != SocketError.Success)
        {
            // The machine has gone.
            socket.Dispose();
            _socket = null;
        }

        return Outcome.Gone;
    }

    /// <summary>Null while the machine has not bound its end.</summary>
    private Socket? TryConnect()
    {
        if (_isDisposed || !File.Exists(_path))
        {
            return null;
        }

        Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { SendBufferSize = BufferBytes };
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(_path));
            socket.Blocking = false;
            return socket;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }
}
