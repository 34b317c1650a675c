// Expectations of scenarios and checkers. Most hold, millions of times in a hunt, so what is wrong is put into words only if it is.

using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;

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

    internal static void That(bool holds, [InterpolatedStringHandlerArgument(nameof(holds))] ref UnmetWords what)
    {
        if (!holds)
        {
            throw new CheckFailed(what.Text);
        }
    }

    internal static void Equal<T>(T expected, T found, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, found))
        {
            throw new CheckFailed($"{what}: {found} instead of {expected}");
        }
    }

    internal static void Equal<T>(T expected, T found,
        [InterpolatedStringHandlerArgument(nameof(expected), nameof(found))] ref DifferenceWords<T> what)
    {
        if (!EqualityComparer<T>.Default.Equals(expected, found))
        {
            throw new CheckFailed($"{what.Text}: {found} instead of {expected}");
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

/// <summary>The words of an expectation that does not hold.</summary>
[InterpolatedStringHandler]
internal ref struct UnmetWords
{
    private DefaultInterpolatedStringHandler _words;

    public UnmetWords(int literalLength, int formattedCount, bool holds, out bool isNeeded)
    {
        isNeeded = !holds;
        _words = isNeeded ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    internal string Text => _words.ToStringAndClear();

    public void AppendLiteral(string text) => _words.AppendLiteral(text);

    public void AppendFormatted<TValue>(TValue value) => _words.AppendFormatted(value);

    public void AppendFormatted<TValue>(TValue value, string? format) => _words.AppendFormatted(value, format);
}

/// <summary>The words of an equality that does not hold.</summary>
[InterpolatedStringHandler]
internal ref struct DifferenceWords<T>
{
    private DefaultInterpolatedStringHandler _words;

    public DifferenceWords(int literalLength, int formattedCount, T expected, T found, out bool isNeeded)
    {
        isNeeded = !EqualityComparer<T>.Default.Equals(expected, found);
        _words = isNeeded ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    internal string Text => _words.ToStringAndClear();

    public void AppendLiteral(string text) => _words.AppendLiteral(text);

    public void AppendFormatted<TValue>(TValue value) => _words.AppendFormatted(value);

    public void AppendFormatted<TValue>(TValue value, string? format) => _words.AppendFormatted(value, format);
}
