// How bad the programs' wire is: what --wire says.

using System;
using System.Collections.Generic;
using System.Globalization;

namespace Lego.Racks;

/// <summary>The faults of a wire, the same in both directions.</summary>
public sealed record WireFaults
{
    private const string Form = "loss=1%,delay=5ms,reorder=2%,duplicate=1%,corrupt=0.1%,rate=10M";
    private const double LeastRate = 1;
    private const double MostRate = 1e12;

    /// <summary>Share of frames that are lost, 0 to 1; the others likewise.</summary>
    public double Loss { get; init; }
    /// <summary>How much later each frame comes.</summary>
    public TimeSpan Delay { get; init; }
    /// <summary>Share of frames that come later than those after them.</summary>
    public double Reorder { get; init; }
    /// <summary>Share of frames that come twice.</summary>
    public double Duplicate { get; init; }
    /// <summary>Share of frames that come with one bit changed.</summary>
    public double Corrupt { get; init; }
    /// <summary>Bits per second; 0 = no limit.</summary>
    public double Rate { get; init; }

    /// <summary>Reads a list of faults, each at most once.</summary>
    public static WireFaults Parse(string text, string where)
    {
        WireFaults faults = new();
        HashSet<string> named = [];
        foreach (string word in text.Split(','))
        {
            string[] parts = word.Split('=');
            string value = parts.Length == 2
                ? parts[1]
                : throw ToolException.Usage($"{where}: '{word}' is no fault; write {Form} or some of these");
            if (!named.Add(parts[0]))
            {
                throw ToolException.Usage($"{where}: {parts[0]} is given twice");
            }

            faults = parts[0] switch
            {
                "loss" => faults with { Loss = ParseShare(value, where) },
                "delay" => faults with { Delay = ParseTime(value, where) },
                "reorder" => faults with { Reorder = ParseShare(value, where) },
                "duplicate" => faults with { Duplicate = ParseShare(value, where) },
                "corrupt" => faults with { Corrupt = ParseShare(value, where) },
                "rate" => faults with { Rate = ParseRate(value, where) },
                _ => throw ToolException.Usage($"{where}: '{parts[0]}' is no fault; write {Form} or some of these"),
            };
        }

        return faults;
    }

    /// <summary>What <see cref="Parse"/> reads.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"loss={Loss * 100}%,delay={Delay.TotalMilliseconds}ms,reorder={Reorder * 100}%,"
            + $"duplicate={Duplicate * 100}%,corrupt={Corrupt * 100}%,rate={Rate}");

    private static double ParseShare(string text, string where) =>
        text.EndsWith('%') && TryNumber(text[..^1], out double percent) && percent <= 100
            ? percent / 100
            : throw ToolException.Usage($"{where}: '{text}' is not a percentage");

    private static TimeSpan ParseTime(string text, string where)
    {
        (string number, double milliseconds) = text switch
        {
            _ when text.EndsWith("us", StringComparison.Ordinal) => (text[..^2], 1e-3),
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1),
            _ when text.EndsWith('s') => (text[..^1], 1e3),
            _ => ("", 0),
        };
        return TryNumber(number, out double value) && value * milliseconds <= 60_000
            ? TimeSpan.FromMilliseconds(value * milliseconds)
            : throw ToolException.Usage($"{where}: '{text}' is not a time such as 5ms, at most a minute");
    }

    private static double ParseRate(string text, string where)
    {
        (string number, double unit) = text.Length == 0 ? ("", 0) : char.ToUpperInvariant(text[^1]) switch
        {
            'K' => (text[..^1], 1e3),
            'M' => (text[..^1], 1e6),
            'G' => (text[..^1], 1e9),
            _ => (text, 1.0),
        };
        return TryNumber(number, out double value) && value * unit is 0 or (>= LeastRate and <= MostRate)
            ? value * unit
            : throw ToolException.Usage($"{where}: '{text}' is not a rate in bits per second such as 10M, 1 to 1000G");
    }

    private static bool TryNumber(string text, out double value) =>
        double.TryParse(
            text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value)
        && double.IsFinite(value);
}
