// Control frames of one sender that wait for their turn in the transmitter: a bounded ring of whole frames, oldest first. Each sender has a
// ring of its own, so that one whose reader pauses holds nobody else up. The memory is the owner's. Nothing here blocks.

using System;

namespace Lego.Common.Control;

/// <summary>A queue of frames. Zero-initialised = without memory: everything is refused.</summary>
public unsafe struct FrameRing
{
    private FixedRing _bytes;

    /// <summary>An empty ring over memory that the caller keeps for as long as the ring is used.</summary>
    public FrameRing(byte* memory, int capacityBytes)
    {
        _bytes = new FixedRing(memory, capacityBytes);
    }

    /// <summary>Bytes that wait, headers included.</summary>
    public readonly int Count => _bytes.Count;

    /// <summary>Adds a frame as a whole; false when it does not fit.</summary>
    public bool TryAdd(ControlFrameType type, ushort session, ReadOnlySpan<byte> payload)
    {
        if (ControlFrame.HeaderBytes + payload.Length > _bytes.Room)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[ControlFrame.HeaderBytes];
        ControlFrame.WriteHeader(header, type, session, payload.Length);
        return _bytes.TryAdd(header) && _bytes.TryAdd(payload);
    }

    /// <summary>Hands the oldest frame on; false when there is none or the transmitter has no room for it.</summary>
    public bool TryMoveOne(ControlTransmitter transmitter, ControlPriority priority)
    {
        if (Count == 0)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[ControlFrame.HeaderBytes];
        _bytes.Peek(0, header.Length, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second);
        first.CopyTo(header);
        second.CopyTo(header.Slice(first.Length));
        ControlFrame.ReadHeader(header, out ControlFrameType type, out ushort session, out int payloadBytes);
        _bytes.Peek(ControlFrame.HeaderBytes, payloadBytes, out first, out second);
        if (!transmitter.TryQueue(type, session, first, second, priority))
        {
            return false;
        }

        _bytes.Remove(ControlFrame.HeaderBytes + payloadBytes);
        return true;
    }

    /// <summary>Forgets what waits.</summary>
    public void Clear() => _bytes.Clear();
}
