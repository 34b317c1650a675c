// What a component sends to the rack tool waits here until the channel takes it: one bounded ring of bytes, in order. Bulk senders
// (standard output) may fill it up to a reserve and keep the rest in rings of their own (FrameRing); answers may use the reserve, so a Ping
// is answered while output waits. Frames go in whole or not at all. One per component; made at boot. Only Queue blocks.

using System;
using Lego.Kernel;

namespace Lego.Common.Control;

/// <summary>Who may use the last part of the ring.</summary>
public enum ControlPriority
{
    /// <summary>Streams of programs: leave the reserve alone.</summary>
    Bulk,
    /// <summary>Answers and events.</summary>
    Answer,
}

/// <summary>The sending half of the control channel.</summary>
public sealed unsafe class ControlTransmitter
{
    /// <summary>Bytes of the ring.</summary>
    public const int CapacityBytes = 256 * 1024;

    /// <summary>Bytes that only answers may use: one of the longest frames and some short ones.</summary>
    public const int ReserveBytes = ControlFrame.MaxPayloadBytes + (8 * 1024);

    private readonly ByteChannel _channel;
    private readonly byte* _ring;
    private int _head;
    private int _count;
    private WaitQueue _room;
    private ulong _bytesSent;
    private ulong _framesSent;

    public ControlTransmitter(ByteChannel channel, FrameAllocator frames)
    {
        _channel = channel;
        _ring = (byte*)frames.AllocateContiguous(CapacityBytes / PageOperations.PageSize);
        if (_ring == null)
        {
            Panic.Because("ControlTransmitter: no memory for the ring at boot");
        }
    }

    /// <summary>Bytes that wait for the channel.</summary>
    public int Waiting => _count;

    /// <summary>Queues a frame whose payload is <paramref name="first"/> and then <paramref name="second"/>. False: no room now.</summary>
    public bool TryQueue(ControlFrameType type, ushort session, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second,
        ControlPriority priority)
    {
        int payloadBytes = first.Length + second.Length;
        int usable = priority == ControlPriority.Bulk ? CapacityBytes - ReserveBytes : CapacityBytes;
        if (payloadBytes > ControlFrame.MaxPayloadBytes)
        {
            Panic.Because("ControlTransmitter.TryQueue: payload longer than a frame");
        }

        if (_count + ControlFrame.HeaderBytes + payloadBytes > usable)
        {
            Flush();
            if (_count + ControlFrame.HeaderBytes + payloadBytes > usable)
            {
                return false;
            }
        }

        Span<byte> header = stackalloc byte[ControlFrame.HeaderBytes];
        ControlFrame.WriteHeader(header, type, session, payloadBytes);
        Append(header);
        Append(first);
        Append(second);
        _framesSent++;
        Flush();
        return true;
    }

    /// <summary>Queues a frame, waiting for room as long as the tool is attached. False: the tool has gone.</summary>
    [Blocks]
    public bool Queue(ControlFrameType type, ushort session, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ControlPriority priority)
    {
        while (!TryQueue(type, session, first, second, priority))
        {
            if (!_channel.Connected)
            {
                return false;
            }

            WaitForRoom();
        }

        return true;
    }

    /// <summary>Waits until the channel has taken something, or a moment.</summary>
    [Blocks]
    public void WaitForRoom()
    {
        const ulong MomentNs = 500_000_000;
        _room.WaitUntil(Clock.NowNs() + MomentNs);
    }

    /// <summary>Moves waiting bytes to the channel; true when any went.</summary>
    public bool Flush()
    {
        bool moved = false;
        while (_count > 0)
        {
            int run = Math.Min(_count, CapacityBytes - _head);
            int taken = _channel.Write(new ReadOnlySpan<byte>(_ring + _head, run));
            if (taken == 0)
            {
                break;
            }

            _head = (_head + taken) % CapacityBytes;
            _count -= taken;
            _bytesSent += (ulong)taken;
            moved = true;
        }

        if (moved)
        {
            _room.WakeAll();
        }

        return moved;
    }

    /// <summary>Forgets what waits: the reader that it was meant for has gone.</summary>
    public void Discard()
    {
        _count = 0;
        _head = 0;
        _room.WakeAll();
    }

    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("control.bytes_sent"u8, _bytesSent);
        writer.Add("control.frames_sent"u8, _framesSent);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        int tail = (_head + _count) % CapacityBytes;
        int run = Math.Min(bytes.Length, CapacityBytes - tail);
        bytes.Slice(0, run).CopyTo(new Span<byte>(_ring + tail, run));
        bytes.Slice(run).CopyTo(new Span<byte>(_ring, CapacityBytes));
        _count += bytes.Length;
    }
}
