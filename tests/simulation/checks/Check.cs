// Expectations of scenarios and checkers.

using System;

namespace Lego.Simulation;

/// <summary>Throws what is not as expected.</summary>
internal static class Check
{
    internal static void That(bool holds, string what)
    {
        if (!holds)
        {
            throw new CheckFailed(what);
        }
    }

    internal static void Equal<T>(T expected, T found, string what)
    {
        if (!Equals(expected, found))
        {
            throw new CheckFailed($"{what}: {found} instead of {expected}");
        }
    }

    internal static void SameBytes(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> found, string what)
    {
        if (!expected.SequenceEqual(found))
        {
            int at = expected.CommonPrefixLength(found);
            throw new CheckFailed($"{what}: {found.Length} bytes instead of {expected.Length}, different from byte {at} on");
        }
    }
}
