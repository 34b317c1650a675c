// A small Ethernet switch in the tool: one pair of unix datagram sockets per machine, one datagram per frame, forwarded by the node number in
// the destination address (QemuCommandLine.MacAddressOf) or to all. It loses frames on a seeded schedule, which is what it is for: results
// must stay right when the fabric has to send again. One thread per machine; it ends with the rack.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using System.Threading;

namespace Lego.Tool;

/// <summary>Forwards frames between machines and loses some.</summary>
public sealed class FrameSwitch : IDisposable
{
    private const int MostFrameBytes = 65536;
    private const int AddressBytes = 6;
    private const int BufferBytes = 4 << 20;

    private readonly Dictionary<int, Port> _ports = [];
    private readonly FrameLoss _loss;
    private readonly string _directory;

    public FrameSwitch(RackDescription rack, string directory)
    {
        _directory = directory;
        _loss = new FrameLoss(rack.LossPercent, rack.LossSeed);
        foreach (ComponentDescription component in rack.Components)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(SwitchSide(component.Node)));
            socket.ReceiveBufferSize = BufferBytes;
            socket.SendBufferSize = BufferBytes;
            _ports[component.Node] = new Port(socket, new UnixDomainSocketEndPoint(MachineSide(component.Node)));
        }

        foreach (int node in _ports.Keys)
        {
            new Thread(() => Forward(node)) { IsBackground = true, Name = $"switch port {node}" }.Start();
        }
    }

    /// <summary>The backend of a component's -netdev.</summary>
    public string BackendOf(ComponentDescription component) => $"dgram,local.type=unix,local.path={MachineSide(component.Node)},remote.type=unix,remote.path={SwitchSide(component.Node)}";

    public void Dispose()
    {
        foreach (Port port in _ports.Values)
        {
            port.Socket.Dispose();
        }
    }

    private string SwitchSide(int node) => Path.Combine(_directory, $"switch{node}");

    private string MachineSide(int node) => Path.Combine(_directory, $"nic{node}");

    private void Forward(int from)
    {
        byte[] buffer = new byte[MostFrameBytes];
        Socket socket = _ports[from].Socket;
        while (true)
        {
            try
            {
                int length = socket.Receive(buffer);
                if (length >= AddressBytes && !_loss.Takes())
                {
                    Deliver(from, buffer.AsSpan(0, length));
                }
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void Deliver(int from, ReadOnlySpan<byte> frame)
    {
        int destination = frame[AddressBytes - 1];
        bool isUnicast = (frame[0] & 1) == 0 && _ports.ContainsKey(destination);
        foreach ((int node, Port port) in _ports)
        {
            if (node == from || (isUnicast && node != destination))
            {
                continue;
            }

            try
            {
                port.Socket.SendTo(frame, port.Machine);
            }
            catch (SocketException)
            {
                // The machine has not bound its end yet, or is gone: on a wire the frame would be lost too.
            }
        }
    }

    private sealed record Port(Socket Socket, UnixDomainSocketEndPoint Machine);
}

/// <summary>Decides, frame by frame and reproducibly, which are lost.</summary>
public sealed class FrameLoss
{
    private readonly Lock _lock = new();
    private readonly Random _random;
    private readonly double _share;

    public FrameLoss(double percent, ulong seed)
    {
        _share = percent / 100;
        _random = new Random((int)(seed ^ (seed >> 32)));
    }

    /// <summary>True when the next frame is lost.</summary>
    public bool Takes()
    {
        lock (_lock)
        {
            return _random.NextDouble() < _share;
        }
    }
}
