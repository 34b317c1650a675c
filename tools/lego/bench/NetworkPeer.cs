// The host's end of `lego bench net`: a server on the loopback, which QEMU's user network reaches as 10.0.2.2. The first byte of a
// connection says what becomes of it: E echoes, S reads everything, R sends megabytes, C closes. Datagrams are echoed. A thread serves each
// connection by blocking calls, so that it adds as little to the figures as a server can.

using System;
using System.Net;
using System.Net.Sockets;
using System.Threading;

namespace Lego.Tool;

/// <summary>The server; disposing ends it.</summary>
internal sealed class NetworkPeer : IDisposable
{
    private const int BlockBytes = 65536;
    private const long SentBytes = 16_000_000;

    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket _datagrams = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);

    public NetworkPeer()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _datagrams.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        Start(Accept);
        Start(EchoDatagrams);
    }

    /// <summary>The port of both protocols.</summary>
    public int Port { get; }

    public void Dispose()
    {
        _listener.Dispose();
        _datagrams.Dispose();
    }

    private static void Start(Action body)
    {
        Thread thread = new(() => RunUntilClosed(body)) { IsBackground = true };
        thread.Start();
    }

    private static void RunUntilClosed(Action body)
    {
        try
        {
            body();
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // The measured side has gone, or the bench is over.
        }
    }

    private void Accept()
    {
        while (true)
        {
            Socket client = _listener.Accept();
            client.NoDelay = true;
            Start(() => Serve(client));
        }
    }

    private void EchoDatagrams()
    {
        byte[] buffer = new byte[BlockBytes];
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            int count = _datagrams.ReceiveFrom(buffer, ref from);
            _datagrams.SendTo(buffer.AsSpan(0, count), SocketFlags.None, from);
        }
    }

    private static void Serve(Socket client)
    {
        using (client)
        {
            byte[] block = new byte[BlockBytes];
            if (client.Receive(block, 1, SocketFlags.None) == 0)
            {
                return;
            }

            switch ((char)block[0])
            {
                case 'E':
                    for (int count; (count = client.Receive(block)) > 0;)
                    {
                        client.Send(block.AsSpan(0, count));
                    }

                    break;
                case 'S':
                    while (client.Receive(block) > 0)
                    {
                    }

                    break;
                case 'R':
                    for (long left = SentBytes; left > 0; left -= BlockBytes)
                    {
                        client.Send(block.AsSpan(0, (int)Math.Min(left, BlockBytes)));
                    }

                    break;
            }
        }
    }
}
