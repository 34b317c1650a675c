// What CUBIC remembers of a connection (RFC 9438, 4.1.2).

namespace Lego.Kernel;

/// <summary>CUBIC's variables. Windows in bytes.</summary>
internal struct CubicState
{
    /// <summary>The window just before the last reduction.</summary>
    internal uint WMax;

    /// <summary>The window when the current congestion avoidance stage began.</summary>
    internal uint EpochWindow;

    /// <summary>When it began; 0 = it has not.</summary>
    internal ulong EpochNs;

    /// <summary>The time that the cubic function takes to come back to WMax.</summary>
    internal uint KMs;

    /// <summary>The window that Reno would have by now.</summary>
    internal uint RenoWindow;
    internal uint RenoAckedBytes;
}
