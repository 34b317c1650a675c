// The other end of a keeper's socket: what `run`, `ps`, `stats` and `down` use to speak with a rack, whether its keeper is in this process
// or in the one that `up` left behind. For one task at a time, except that frames may be sent from any.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>A connection to a keeper.</summary>
internal sealed class KeeperClient : IDisposable
{
    private const int SocketLevel = 1; // SOL_SOCKET
    private const int PeerCredentials = 17; // SO_PEERCRED, unix(7)
    private const int CredentialsBytes = 12;

    private readonly ControlChannel _channel;

    private KeeperClient(ControlChannel channel, int processId)
    {
        _channel = channel;
        ProcessId = processId;
    }

    /// <summary>The keeper's process.</summary>
    public int ProcessId { get; }

    /// <summary>Connects; null when nobody listens there.</summary>
    public static async Task<KeeperClient?> TryConnectAsync(string socketPath)
    {
        // A refused connection is an exception, for which the runtime reads the tool's symbols: tens of milliseconds of each `run`.
        if (!File.Exists(socketPath))
        {
            return null;
        }

        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath));
            byte[] credentials = new byte[CredentialsBytes];
            socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
            return new KeeperClient(new ControlChannel(socket), BitConverter.ToInt32(credentials));
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
    }

    /// <summary>Connects to the rack that `lego up` started with that name, or without one; null when none is up.</summary>
    public static Task<KeeperClient?> TryConnectToUpAsync(string? rack) =>
        TryConnectAsync(Path.Combine(HostPaths.Racks, RackDirectory.UpNameOf(rack), RackDirectory.SocketName));

    public Task<bool> SendAsync(ControlFrame frame) => _channel.WriteAsync(frame);

    public Task<ControlFrame?> ReadAsync() => _channel.ReadAsync();

    /// <summary>The rack's components.</summary>
    public async Task<List<ComponentLine>> DescribeAsync()
    {
        ControlFrame reply = await AskAsync(new ControlFrame(ControlFrameType.Describe, 0, default), ControlFrameType.DescribeReply);
        return [.. reply.Text().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(ComponentLine.Parse)];
    }

    /// <summary>The node of a component, by name, that runs programs.</summary>
    /// <exception cref="ToolException">There is none of that name, or it has ended.</exception>
    public async Task<int> FindProcessorAsync(string name)
    {
        ComponentLine[] all = [.. (await DescribeAsync()).Where(c => c.Kind is ComponentKind.Processor or ComponentKind.Solo)];
        ComponentLine found = all.FirstOrDefault(c => c.Name == name)
            ?? throw ToolException.Usage($"no program runs on {name}; this rack has {string.Join(", ", all.Select(c => c.Name))} for them");
        return found.State == ComponentLine.Ended ? throw ToolException.Rack($"{found.Title} has ended") : found.Node;
    }

    /// <summary>One component's counters, "name value" lines; empty when it does not answer.</summary>
    public async Task<string> StatisticsAsync(string component) =>
        (await AskAsync(ControlFrame.WithText(ControlFrameType.ComponentStatistics, component), ControlFrameType.StatisticsReply)).Text();

    /// <summary>All components' counters.</summary>
    public async Task<StatisticsDocument> AllStatisticsAsync()
    {
        StatisticsDocument document = new();
        foreach (ComponentLine component in await DescribeAsync())
        {
            document.Add(component.Name, component.Kind, await StatisticsAsync(component.Name));
        }

        return document;
    }

    /// <summary>
    /// Ends the rack in good order; when this returns nothing of it is left, and its name is free. What went wrong, or an empty text.
    /// </summary>
    public async Task<string> DownAsync()
    {
        ControlFrame reply = await AskAsync(new ControlFrame(ControlFrameType.Down, 0, default), ControlFrameType.DownReply);
        // The keeper closes the connection when it has removed everything.
        while (await ReadAsync() is not null)
        {
        }

        return reply.Text();
    }

    /// <summary>Publishes a port; what went wrong, or an empty text.</summary>
    public async Task<string> PublishAsync(PublishedPort port) =>
        (await AskAsync(ControlFrame.WithText(ControlFrameType.Publish, port.ToString()), ControlFrameType.PublishReply)).Text();

    /// <summary>Has the manager carry out a command about vNodes; an errno and what it says.</summary>
    public async Task<(uint Error, string Text)> AskVNodesAsync(string words)
    {
        ControlFrame reply = await AskAsync(ControlFrame.WithText(ControlFrameType.VNode, words), ControlFrameType.VNodeReply);
        return (reply.Number(0), reply.Text(sizeof(uint)).TrimEnd('\n'));
    }

    /// <summary>Has the manager drain a memory component, or no more; how far that is.</summary>
    public async Task<DrainAnswer> AskDrainAsync(int node, bool isDrained)
    {
        ControlFrame reply = await AskAsync(
            ControlFrame.WithNumbers(ControlFrameType.Drain, (uint)node, isDrained ? 1u : 0u), ControlFrameType.DrainReply);
        return new DrainAnswer(
            reply.Number(0), reply.Number(1), reply.Number(2), reply.Number(3), reply.Number(4) | ((ulong)reply.Number(5) << 32),
            reply.Number(6) | ((ulong)reply.Number(7) << 32));
    }

    public void Dispose() => _channel.Dispose();

    private async Task<ControlFrame> AskAsync(ControlFrame request, ControlFrameType expected)
    {
        await SendAsync(request);
        while (await ReadAsync() is { } frame)
        {
            if (frame.Type == expected)
            {
                return frame;
            }

            if (frame.Type == ControlFrameType.MemberFailed)
            {
                throw ToolException.Rack(frame.Text());
            }
        }

        throw ToolException.Rack("the rack's keeper has ended");
    }
}
