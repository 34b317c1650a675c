// What `lego ps` and scripts know about one component; it crosses the keeper's socket as one line, fields separated by tabs.

using System.Globalization;

namespace Lego.Racks;

/// <summary>A component of a running rack as others see it.</summary>
public sealed record ComponentLine(
    string Name, ComponentKind Kind, int Node, int ProcessId, long MemoryBytes, int Cpus, LinkKind Link, string State, string Image)
{
    /// <summary>States.</summary>
    public const string Running = "running";
    public const string Ended = "ended";

    /// <summary>The state of one that runs and whose machine was started anew so often.</summary>
    public static string RunningAfter(int restarts) => restarts == 0 ? Running : $"{Running}, restarted {restarts}x";

    /// <summary>How a sentence refers to it: "m0 (memory)".</summary>
    public string Title => $"{Name} ({Kind.ToString().ToLowerInvariant()})";

    internal string ToText() => string.Create(
        CultureInfo.InvariantCulture, $"{Name}\t{Kind}\t{Node}\t{ProcessId}\t{MemoryBytes}\t{Cpus}\t{Link}\t{State}\t{Image}");

    internal static ComponentLine Parse(string text)
    {
        string[] fields = text.Split('\t');
        return new ComponentLine(
            fields[0], System.Enum.Parse<ComponentKind>(fields[1]), int.Parse(fields[2], CultureInfo.InvariantCulture),
            int.Parse(fields[3], CultureInfo.InvariantCulture), long.Parse(fields[4], CultureInfo.InvariantCulture),
            int.Parse(fields[5], CultureInfo.InvariantCulture), System.Enum.Parse<LinkKind>(fields[6]), fields[7], fields[8]);
    }
}
