// Control frames of one sender that wait for their turn in the transmitter: a bounded ring of whole frames, oldest first. Each sender has a
// ring of its own, so that one whose reader pauses holds nobody else up. The memory is the owner's. Nothing here blocks.

using System;

namespace Lego.Common.Control;

/// <summary>A queue of frames. Zero-initialised = without memory: everything is refused.</summary>
public unsafe struct FrameRing
{
    private byte* _memory;
    private int _capacityBytes;
    private int _head;

    /// <summary>An empty ring over memory that the caller keeps for as long as the ring is used.</summary>
    public FrameRing(byte* memory, int capacityBytes)
    {
        _memory = memory;
        _capacityBytes = capacityBytes;
    }

    /// <summary>Bytes that wait, headers included.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a frame as a whole; false when it does not fit.</summary>
    public bool TryAdd(ControlFrameType type, ushort session, ReadOnlySpan<byte> payload)
    {
        if (ControlFrame.HeaderBytes + payload.Length > _capacityBytes - Count)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[ControlFrame.HeaderBytes];
        ControlFrame.WriteHeader(header, type, session, payload.Length);
        Append(header);
        Append(payload);
        return true;
    }

    /// <summary>Hands the oldest frame on; false when there is none or the transmitter has no room for it.</summary>
    public bool TryMoveOne(ControlTransmitter transmitter, ControlPriority priority)
    {
        if (Count == 0)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[ControlFrame.HeaderBytes];
        int run = Math.Min(header.Length, _capacityBytes - _head);
        new ReadOnlySpan<byte>(_memory + _head, run).CopyTo(header);
        new ReadOnlySpan<byte>(_memory, header.Length - run).CopyTo(header.Slice(run));
        ControlFrame.ReadHeader(header, out ControlFrameType type, out ushort session, out int payloadBytes);

        int start = (_head + ControlFrame.HeaderBytes) % _capacityBytes;
        run = Math.Min(payloadBytes, _capacityBytes - start);
        ReadOnlySpan<byte> first = new(_memory + start, run);
        ReadOnlySpan<byte> second = new(_memory, payloadBytes - run);
        if (!transmitter.TryQueue(type, session, first, second, priority))
        {
            return false;
        }

        _head = (start + payloadBytes) % _capacityBytes;
        Count -= ControlFrame.HeaderBytes + payloadBytes;
        return true;
    }

    /// <summary>Forgets what waits.</summary>
    public void Clear()
    {
        _head = 0;
        Count = 0;
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        int tail = (_head + Count) % _capacityBytes;
        int run = Math.Min(bytes.Length, _capacityBytes - tail);
        bytes.Slice(0, run).CopyTo(new Span<byte>(_memory + tail, run));
        bytes.Slice(run).CopyTo(new Span<byte>(_memory, _capacityBytes));
        Count += bytes.Length;
    }
}
