// A network card, as the ethernet link and the TCP/IP stack see one. Nothing here blocks or allocates. One frame at a time is lent to the
// receiver: TryReceive lends it, ReleaseReceived gives its buffer back to the card (and clears it: frames carry pages of programs).

using System;

namespace Lego.Kernel;

/// <summary>Sends and receives whole Ethernet frames (destination, source, EtherType, payload; no checksum).</summary>
public abstract unsafe class NetDevice : PollSource
{
    /// <summary>The card's address: first byte on the wire in bits 40 to 47.</summary>
    public abstract ulong MacAddress { get; }

    /// <summary>Longest frame that it sends or receives, header included.</summary>
    public abstract int MaxFrameBytes { get; }

    /// <summary>False while the card has no carrier; costs a look at the card.</summary>
    public virtual bool HasLink => true;

    /// <summary>Copies the three pieces into one transmit buffer and sends it. False: the ring is full, or the frame is too long.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool TrySend(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c);

    /// <summary>
    /// Lends the oldest received frame until <see cref="ReleaseReceived"/>. Calling it again before that lends the same frame.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool TryReceive(out ReadOnlySpan<byte> frame);

    /// <summary>Ends the loan; does nothing when no frame is lent.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void ReleaseReceived();

    /// <summary>Adds the device's counters; their names begin with the prefix.</summary>
    public virtual void Report(ReadOnlySpan<byte> prefix, ref StatisticsWriter writer)
    {
    }
}
