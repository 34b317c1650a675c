// Comparing sequence numbers, which wrap (RFC 9293, 3.4): a is before b when the way from a to b is the shorter one.

using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Arithmetic modulo 2^32.</summary>
internal static class SequenceNumber
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsBefore(uint a, uint b) => (int)(a - b) < 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsAfter(uint a, uint b) => (int)(a - b) > 0;

    /// <summary>The later one of two.</summary>
    internal static uint Max(uint a, uint b) => IsAfter(a, b) ? a : b;

    /// <summary>The earlier one of two.</summary>
    internal static uint Min(uint a, uint b) => IsBefore(a, b) ? a : b;
}
