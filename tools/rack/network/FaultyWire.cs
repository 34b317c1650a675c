// One direction of a wire with faults: says what becomes of each frame and when it arrives. It has no clock and no thread; WireForwarder
// gives it both, tests give it a clock of their own. The same seed and frames have the same faults.

using System;
using System.Collections.Generic;

namespace Lego.Racks;

/// <summary>A schedule of frames on their way.</summary>
internal sealed class FaultyWire
{
    /// <summary>Frames on their way; more are lost, as in netem's queue.</summary>
    public const int MostFrames = 1000;
    private const int EthernetHeaderBytes = 14;
    /// <summary>How much later a frame comes that others overtake.</summary>
    private static readonly TimeSpan s_reorderDelay = TimeSpan.FromMilliseconds(5);

    private readonly WireFaults _faults;
    private readonly Random _random;
    // By time of arrival, then in the order in which they were sent.
    private readonly PriorityQueue<byte[], (TimeSpan Due, long Number)> _frames = new();
    private TimeSpan _lineIsFree;
    private long _count;

    public FaultyWire(WireFaults faults, ulong seed)
    {
        _faults = faults;
        _random = new Random((int)(seed ^ (seed >> 32)));
    }

    /// <summary>A frame enters the wire.</summary>
    public void Send(ReadOnlySpan<byte> frame, TimeSpan now)
    {
        // Every frame draws the same numbers, so that one kind of fault does not move the others.
        bool isLost = Draw(_faults.Loss);
        bool isLate = Draw(_faults.Reorder);
        bool isDouble = Draw(_faults.Duplicate);
        bool isCorrupt = Draw(_faults.Corrupt);
        int bit = _random.Next();
        if (isLost || _frames.Count >= MostFrames)
        {
            return;
        }

        byte[] copy = frame.ToArray();
        if (isCorrupt && frame.Length > EthernetHeaderBytes)
        {
            int bits = (frame.Length - EthernetHeaderBytes) * 8;
            copy[EthernetHeaderBytes + (bit % bits / 8)] ^= (byte)(1 << (bit % 8));
        }

        if (_faults.Rate > 0)
        {
            _lineIsFree = (_lineIsFree > now ? _lineIsFree : now) + TimeSpan.FromSeconds(frame.Length * 8 / _faults.Rate);
        }

        TimeSpan due = (_faults.Rate > 0 ? _lineIsFree : now) + _faults.Delay + (isLate ? s_reorderDelay : TimeSpan.Zero);
        for (int times = isDouble ? 2 : 1; times > 0; times--)
        {
            _frames.Enqueue(copy, (due, _count++));
        }
    }

    /// <summary>The next frame that has arrived by now, or when the next one will; null when none is on its way.</summary>
    public byte[]? TryReceive(TimeSpan now, out TimeSpan? next)
    {
        next = null;
        if (!_frames.TryPeek(out byte[]? frame, out (TimeSpan Due, long Number) place))
        {
            return null;
        }

        if (place.Due > now)
        {
            next = place.Due;
            return null;
        }

        _frames.Dequeue();
        return frame;
    }

    private bool Draw(double share) => _random.NextDouble() < share;
}
