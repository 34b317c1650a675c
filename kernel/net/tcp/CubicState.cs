// What CUBIC remembers of a connection (RFC 9438, 4.1.2).

namespace Lego.Kernel;

/// <summary>CUBIC's variables. Windows in bytes.</summary>
internal struct CubicState
{
    /// <summary>The window just before the last reduction.</summary>
    internal uint WMax;

    /// <summary>The time that the cubic function takes to come back to WMax.</summary>
    internal uint KMs;

    /// <summary>When the current stage of congestion avoidance began; 0 = it has not.</summary>
    internal ulong EpochNs;

    /// <summary>The window that Reno would have by now, and what it has not yet counted.</summary>
    internal uint RenoWindow;
    internal ulong RenoAcked;
}
