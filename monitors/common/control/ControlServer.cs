// The component's end of the control channel: collects bytes into frames, answers the generic ones (Hello, Statistics, Ping, Shutdown) and
// offers the rest to the registered services. Runs in the poller, so nothing here blocks; Shutdown gets a thread of its own because
// services may have to write back first. Every component has exactly one, made at boot. The server polls its channel, nobody else does.

using System;
using System.Buffers.Binary;
using Lego.Kernel;

namespace Lego.Common.Control;

/// <summary>Serves one rack tool at a time.</summary>
public sealed unsafe class ControlServer : PollSource
{
    private const int MaxServices = 16;
    private const int ReceiveBytes = ControlFrame.HeaderBytes + ControlFrame.MaxPayloadBytes;
    private const int StatisticsBytes = ControlFrame.MaxPayloadBytes;

    private readonly ByteChannel _channel;
    private readonly ControlTransmitter _transmitter;
    private readonly ControlService[] _services = new ControlService[MaxServices];
    private readonly byte* _received;
    private readonly byte* _statistics;
    private readonly byte* _greeting;
    private readonly int _greetingBytes;
    private readonly delegate*<Errno, void> _leave;
    private readonly ShutdownThread _shutdown;
    private bool _shutsDown;
    private int _serviceCount;
    private int _receivedBytes;
    private bool _connected;
    private bool _again = true;
    private bool _streamLost;
    private bool _helloPending;
    private ulong _framesReceived;

    /// <summary>Serves <paramref name="channel"/>; <paramref name="leave"/> ends the machine, with the first error of
    /// writing back, and does not return on bare metal.</summary>
    public ControlServer(
        ByteChannel channel, ControlTransmitter transmitter, FrameAllocator frames, ReadOnlySpan<byte> kind, ReadOnlySpan<byte> name,
        delegate*<Errno, void> leave)
    {
        _channel = channel;
        _transmitter = transmitter;
        _shutdown = new ShutdownThread(this);
        _leave = leave;
        _received = Reserve(frames, ReceiveBytes);
        _statistics = Reserve(frames, StatisticsBytes);
        _greeting = Reserve(frames, PageOperations.PageSize);
        Span<byte> greeting = new(_greeting, PageOperations.PageSize);
        _greetingBytes = Put(greeting, _greetingBytes, kind);
        _greetingBytes = Put(greeting, _greetingBytes, " "u8);
        _greetingBytes = Put(greeting, _greetingBytes, name);
        _greetingBytes = Put(greeting, _greetingBytes, " ready"u8);
    }

    /// <summary>Adds a service; boot time only.</summary>
    public void Add(ControlService service)
    {
        if (_serviceCount == MaxServices)
        {
            Panic.Because("ControlServer.Add: too many services");
        }

        _services[_serviceCount++] = service;
    }

    /// <summary>Cheap when the channel has nothing to say: waiting threads poll this in their shortest loop.</summary>
    public override bool Poll()
    {
        bool news = _channel.Poll();
        if (!news && !_again && !_helloPending)
        {
            return false;
        }

        bool worked = WatchConnection();
        worked |= _transmitter.Flush();
        worked |= SendWaiting();
        worked |= Receive();
        if (_helloPending && AllReady() && AnswerHello())
        {
            _helloPending = false;
            worked = true;
        }

        // What the channel could not give or take in one go follows in the next round.
        _again = worked;
        return worked || news;
    }

    public override void ArmWakeup() => _channel.ArmWakeup();

    public override void DisarmWakeup() => _channel.DisarmWakeup();

    /// <summary>Writes back and ends the machine. BLOCKS; runs in its own thread, tests call it directly.</summary>
    public void ShutDown()
    {
        Log.Info($"shutting down");
        Errno first = Errno.None;
        for (int index = 0; index < _serviceCount; index++)
        {
            Errno error = _services[index].Shutdown();
            first = first == Errno.None ? error : first;
        }

        _leave(first);
    }

    private sealed class ShutdownThread(ControlServer server) : ThreadBody
    {
        public override void Run(void* argument) => server.ShutDown();
    }

    private static byte* Reserve(FrameAllocator frames, int lengthBytes)
    {
        ulong pages = ((ulong)lengthBytes + PageOperations.PageSize - 1) / PageOperations.PageSize;
        void* memory = frames.AllocateContiguous(pages);
        if (memory == null)
        {
            Panic.Because("ControlServer: no memory for its buffers at boot");
        }

        return (byte*)memory;
    }

    private static int Put(Span<byte> text, int at, ReadOnlySpan<byte> part)
    {
        part.CopyTo(text.Slice(at));
        return at + part.Length;
    }

    /// <summary>A new reader starts with a clean stream in both directions.</summary>
    private bool WatchConnection()
    {
        bool connected = _channel.Connected;
        if (connected == _connected)
        {
            return false;
        }

        _connected = connected;
        _receivedBytes = 0;
        _streamLost = false;
        _helloPending = false;
        if (!connected)
        {
            _transmitter.Discard();
            for (int index = 0; index < _serviceCount; index++)
            {
                _services[index].Disconnected();
            }
        }

        return true;
    }

    private bool Receive()
    {
        int moved = _channel.Read(new Span<byte>(_received + _receivedBytes, ReceiveBytes - _receivedBytes));
        _receivedBytes += moved;
        if (_streamLost)
        {
            _receivedBytes = 0;
            return moved > 0;
        }

        int at = 0;
        while (true)
        {
            ControlParse parse = ControlFrame.Parse(new ReadOnlySpan<byte>(_received + at, _receivedBytes - at), out ControlFrame frame,
                out int consumed);
            if (parse == ControlParse.Malformed)
            {
                Log.Error($"control channel: impossible frame length, ignoring this connection");
                _streamLost = true;
                at = _receivedBytes;
                break;
            }

            // An answer that finds no room leaves its question in the buffer; it is asked again after the tool has read something.
            if (parse == ControlParse.Incomplete || !Dispatch(in frame))
            {
                break;
            }

            _framesReceived++;
            at += consumed;
        }

        if (at > 0)
        {
            ReadOnlySpan<byte> rest = new(_received + at, _receivedBytes - at);
            rest.CopyTo(new Span<byte>(_received, ReceiveBytes));
            _receivedBytes -= at;
        }

        return moved > 0 || at > 0;
    }

    /// <summary>False: try the same frame again later.</summary>
    private bool Dispatch(scoped in ControlFrame frame)
    {
        switch (frame.Type)
        {
            case ControlFrameType.Hello:
                _helloPending = true;
                return true;
            case ControlFrameType.Ping:
                return _transmitter.TryQueue(ControlFrameType.Pong, frame.Session, frame.Payload, default, ControlPriority.Answer);
            case ControlFrameType.Statistics:
                return AnswerStatistics(frame.Session);
            case ControlFrameType.Shutdown:
                return StartShutdown();
            default:
                return Offer(in frame);
        }
    }

    private bool Offer(scoped in ControlFrame frame)
    {
        for (int index = 0; index < _serviceCount; index++)
        {
            ControlDisposition disposition = _services[index].TryHandle(in frame);
            if (disposition != ControlDisposition.NotMine)
            {
                return disposition == ControlDisposition.Done;
            }
        }

        Log.Warn($"control channel: frame type {(int)frame.Type} is not for this component");
        return true;
    }

    private bool SendWaiting()
    {
        bool sent = false;
        for (int index = 0; index < _serviceCount; index++)
        {
            sent |= _services[index].Send();
        }

        return sent;
    }

    private bool AllReady()
    {
        for (int index = 0; index < _serviceCount; index++)
        {
            if (!_services[index].IsReady)
            {
                return false;
            }
        }

        return true;
    }

    private bool AnswerHello()
    {
        Span<byte> version = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(version, ControlFrame.ProtocolVersion);
        return _transmitter.TryQueue(
            ControlFrameType.HelloReply, 0, version, new ReadOnlySpan<byte>(_greeting, _greetingBytes), ControlPriority.Answer);
    }

    private bool AnswerStatistics(ushort session)
    {
        StatisticsWriter writer = new(new Span<byte>(_statistics, StatisticsBytes));
        for (int index = 0; index < _serviceCount; index++)
        {
            _services[index].Report(ref writer);
        }

        _transmitter.Report(ref writer);
        writer.Add("control.frames_received"u8, _framesReceived);
        return _transmitter.TryQueue(ControlFrameType.StatisticsReply, session, writer.Text, default, ControlPriority.Answer);
    }

    private bool StartShutdown()
    {
        // Until there is memory for the thread, the tool's next frame tries again.
        _shutsDown = _shutsDown || Scheduler.Spawn(_shutdown, null, "shutdown"u8) != null;
        return _shutsDown;
    }
}
