// The Ethernet segment of a rack. Ordinarily it is a UDP multicast group on the loopback interface that every QEMU joins: no process stands
// between two machines (one's own frames come back, which the link ignores). Where the host cannot multicast, and when frames shall be lost
// on purpose, the tool itself is the switch (FrameSwitch).

using System;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Lego.Tool;

/// <summary>Joins the machines' network devices.</summary>
public sealed class SharedSegment : IDisposable
{
    private const int FirstPort = 20000;
    private const int LastPort = 60000;
    private const int ProbeLimitMs = 200;

    private readonly FrameSwitch? _switch;
    private readonly string _group = "";

    public SharedSegment(RackDescription rack, RackDirectory directory)
    {
        // 239.192.0.0/14 is the organisation-local scope of RFC 2365; address and port together are this rack's own.
        IPAddress address = new([239, 192, (byte)RandomNumberGenerator.GetInt32(256), (byte)RandomNumberGenerator.GetInt32(1, 255)]);
        int port = RandomNumberGenerator.GetInt32(FirstPort, LastPort);
        if (rack.LossPercent > 0 || !CanMulticast(address, port))
        {
            _switch = new FrameSwitch(rack, directory.Path);
        }
        else
        {
            _group = $"{address}:{port}";
        }
    }

    /// <summary>The backend of a component's -netdev.</summary>
    public string BackendOf(ComponentDescription component) => _switch?.BackendOf(component) ?? $"socket,mcast={_group},localaddr=127.0.0.1";

    public void Dispose() => _switch?.Dispose();

    private static bool CanMulticast(IPAddress address, int port)
    {
        try
        {
            using Socket socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(address, port));
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(address, IPAddress.Loopback));
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, IPAddress.Loopback.GetAddressBytes());
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastLoopback, true);
            socket.ReceiveTimeout = ProbeLimitMs;
            socket.SendTo([0], new IPEndPoint(address, port));
            return socket.Receive(new byte[1]) == 1;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
