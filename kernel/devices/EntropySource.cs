// Unpredictable bytes from outside the machine: seeds for AT_RANDOM, /dev/urandom, incarnations.

using System;

namespace Lego.Kernel;

/// <summary>A source of random bytes.</summary>
public abstract class EntropySource
{
    /// <summary>Fills the whole span; BLOCKS until the source has delivered that much.</summary>
    public abstract void Fill(Span<byte> bytes);
}
