// One client of a keeper. It may start one program (its session), ask for counters, for the list of components, or for the end of the rack.
// A client that goes away while its program runs takes the program with it.

using System;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading.Channels;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>The keeper's side of a client's connection.</summary>
internal sealed class KeeperConnection : IDisposable
{
    /// <summary>Longest payload that the images take (their ControlFrame.MaxPayloadBytes); a longer one would end their channel.</summary>
    private const int MostImagePayloadBytes = 64 * 1024;
    private const uint ArgumentsTooLong = 7; // E2BIG
    private static readonly TimeSpan s_statisticsLimit = TimeSpan.FromSeconds(5);

    private readonly KeeperServer _server;
    private readonly ControlChannel _channel;
    // Without bound, because nobody may wait here for a client that does not read. A session's credit bounds what it has on its way.
    private readonly Channel<ControlFrame> _outgoing = Channel.CreateUnbounded<ControlFrame>();
    private readonly Task _sending;
    private ushort _session;

    public KeeperConnection(KeeperServer server, Socket socket)
    {
        _server = server;
        _channel = new ControlChannel(socket);
        _sending = SendAsync();
    }

    /// <summary>Queues a frame for the client. Frames for a client that is gone vanish.</summary>
    public void Enqueue(ControlFrame frame) => _outgoing.Writer.TryWrite(frame);

    /// <summary>Waits until everything queued has been sent; nothing can be queued afterwards.</summary>
    public Task DrainAsync()
    {
        _outgoing.Writer.TryComplete();
        return _sending;
    }

    /// <summary>Handles the client's frames until it goes away.</summary>
    public async Task ServeAsync()
    {
        try
        {
            while (await _channel.ReadAsync() is { } frame)
            {
                await HandleAsync(frame);
            }
        }
        catch (InvalidDataException)
        {
            // Not a client of this protocol; it is dropped.
        }

        _outgoing.Writer.TryComplete();
        if (_session != 0 && _server.CloseSession(_session))
        {
            await _server.SendToManagerAsync(new ControlFrame(ControlFrameType.Hangup, _session, default));
        }
    }

    public void Dispose()
    {
        _outgoing.Writer.TryComplete();
        _channel.Dispose();
    }

    private async Task HandleAsync(ControlFrame frame)
    {
        switch (frame.Type)
        {
            case ControlFrameType.Start when frame.Payload.Length > MostImagePayloadBytes:
                Enqueue(ControlFrame.WithNumbers(ControlFrameType.Started, ArgumentsTooLong, 0));
                break;
            case ControlFrameType.Start when _session == 0:
                _session = await _server.OpenSessionAsync(this);
                await _server.SendToManagerAsync(frame with { Session = _session });
                break;
            case ControlFrameType.StandardInput or ControlFrameType.StandardInputEnd or ControlFrameType.Signal
                or ControlFrameType.WindowSize or ControlFrameType.StandardOutputTaken
                or ControlFrameType.StandardOutputClosed when _session != 0:
                await _server.SendToManagerAsync(frame with { Session = _session });
                break;
            case ControlFrameType.VNode or ControlFrameType.Drain:
                await _server.SendToManagerAsync(frame with { Session = await _server.OpenSessionAsync(this) });
                break;
            case ControlFrameType.ComponentStatistics:
                Enqueue(ControlFrame.WithText(ControlFrameType.StatisticsReply, await StatisticsAsync(frame.Text())));
                break;
            case ControlFrameType.Describe:
                Enqueue(ControlFrame.WithText(ControlFrameType.DescribeReply, Describe()));
                break;
            case ControlFrameType.Publish:
                Enqueue(ControlFrame.WithText(ControlFrameType.PublishReply, await PublishAsync(frame.Text())));
                break;
            case ControlFrameType.Down:
                _server.RequestDown(this);
                break;
        }
    }

    private async Task<string> StatisticsAsync(string name)
    {
        try
        {
            return _server.Keeper.Find(name) is { } machine ? await machine.StatisticsAsync(s_statisticsLimit) : "";
        }
        catch (TimeoutException)
        {
            return "";
        }
    }

    private async Task<string> PublishAsync(string text)
    {
        try
        {
            await _server.Keeper.PublishAsync(PublishedPort.Parse(text, "publish"));
            return "";
        }
        catch (ToolException error)
        {
            return error.Message;
        }
    }

    private string Describe()
    {
        RackKeeper keeper = _server.Keeper;
        return string.Join('\n', keeper.Machines.Select(m => new ComponentLine(
            m.Component.Name, m.Component.Kind, m.Component.Node, m.ProcessId, m.Component.MemoryBytes, m.Component.Cpus,
            keeper.Rack.Link, m.Ended.IsCompleted ? ComponentLine.Ended : ComponentLine.RunningAfter(m.Restarts),
            m.Component.ImageName).ToText()));
    }

    private async Task SendAsync()
    {
        await foreach (ControlFrame frame in _outgoing.Reader.ReadAllAsync())
        {
            if (!await _channel.WriteAsync(frame))
            {
                _outgoing.Writer.TryComplete();
                return;
            }
        }
    }
}
