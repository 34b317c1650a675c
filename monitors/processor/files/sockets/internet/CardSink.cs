// Where the stack's frames leave this machine.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Sends frames on the programs' card, the only one besides the loopback.</summary>
public sealed class CardSink(NetDevice? card) : FrameSink
{
    public override bool Send(int interfaceIndex, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        card != null && card.TrySend(header, a, b);
}
