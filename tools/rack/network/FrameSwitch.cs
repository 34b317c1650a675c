// The Ethernet segment of a rack: one pair of unix datagram sockets per machine in the rack's directory, one datagram per frame, forwarded
// by the node number in the destination address (CardArguments) or to all. Only the owner of the rack can reach the sockets.
// It may lose frames on a seeded schedule, to show that results stay right when the fabric has to send again.
//
// One thread receives from each machine, and never waits for another: what a machine does not take at once waits in a queue of its own
// (OutputPort), and is dropped when that is full. A machine that stands still holds up nobody.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading;

namespace Lego.Racks;

/// <summary>Forwards frames between machines.</summary>
internal sealed class FrameSwitch : IDisposable
{
    /// <summary>The command of the rack tool that is a switch.</summary>
    public const string CommandName = "switch";
    private const int MostFrameBytes = 65536;
    private const int AddressBytes = 6;

    private readonly Dictionary<int, Socket> _inputs = [];
    private readonly Dictionary<int, OutputPort> _outputs = [];
    private readonly FrameLoss _loss;
    private readonly List<Thread> _threads = [];

    /// <summary>Begins to forward between the machines with these node numbers.</summary>
    public FrameSwitch(string directory, IEnumerable<int> nodes, FrameLoss loss)
    {
        _loss = loss;
        foreach (int node in nodes)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
            socket.Bind(new UnixDomainSocketEndPoint(SwitchSide(directory, node)));
            _inputs[node] = socket;
            _outputs[node] = new OutputPort(MachineSide(directory, node));
        }

        foreach (int node in _inputs.Keys)
        {
            Thread thread = new(() => Forward(node)) { IsBackground = true, Name = $"from {node}" };
            thread.Start();
            _threads.Add(thread);
        }
    }

    /// <summary>The tool's arguments that start the switch of a rack.</summary>
    public static IReadOnlyList<string> ArgumentsFor(RackDescription rack, string directory) =>
    [
        CommandName, directory, string.Join(',', rack.Components.Select(component => component.Node)),
        rack.LossPercent.ToString(CultureInfo.InvariantCulture), rack.LossSeed.ToString(CultureInfo.InvariantCulture),
    ];

    /// <summary>The backend of the -netdev of the machine with that node number.</summary>
    public static string BackendOf(string directory, int node) =>
        $"dgram,local.type=unix,local.path={MachineSide(directory, node)},remote.type=unix,remote.path={SwitchSide(directory, node)}";

    /// <summary>Returns when the switch has been disposed of.</summary>
    public void WaitForEnd() => _threads.ForEach(thread => thread.Join());

    public void Dispose()
    {
        foreach (Socket socket in _inputs.Values)
        {
            socket.Dispose();
        }

        foreach (OutputPort port in _outputs.Values)
        {
            port.Dispose();
        }
    }

    private static string SwitchSide(string directory, int node) => Path.Combine(directory, $"switch{node}");

    private static string MachineSide(string directory, int node) => Path.Combine(directory, $"nic{node}");

    private void Forward(int from)
    {
        byte[] buffer = new byte[MostFrameBytes];
        Socket socket = _inputs[from];
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
        bool isGroupAddress = (frame[0] & 1) != 0;
        if (!isGroupAddress && _outputs.TryGetValue(frame[AddressBytes - 1], out OutputPort? port))
        {
            port.Send(frame);
            return;
        }

        foreach ((int node, OutputPort other) in _outputs.Where(output => output.Key != from))
        {
            other.Send(frame);
        }
    }
}
