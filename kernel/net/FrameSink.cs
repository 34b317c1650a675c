// Where the stack's frames go: the owner of the cards implements it.

using System;

namespace Lego.Kernel;

/// <summary>Sends frames.</summary>
public abstract class FrameSink
{
    /// <summary>
    /// Sends one Ethernet frame that consists of three pieces, header first; the bytes are copied before it returns. False: the card has no
    /// room now, or the frame is too long.
    /// </summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool Send(int interfaceIndex, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b);
}
