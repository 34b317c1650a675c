// Makes what the page shows from two samples of a rack's counters (top/TopSample.cs).

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using Lego.Tool;

namespace Lego.Dashboard;

/// <summary>Reads samples.</summary>
internal static class RackReading
{
    private const string RegionPrefix = "memory.regions.";

    /// <summary>The rack between two samples.</summary>
    public static RackState Between(TopSample before, TopSample now)
    {
        ComponentChange[] changes = [.. ComponentChange.Between(before, now)];
        Dictionary<int, string> names = now.Components.ToDictionary(c => c.Component.Node, c => c.Component.Name);
        string link = now.Components.Count == 0 ? "" : Lower(now.Components[0].Component.Link);
        return new RackState(link, [.. changes.Select(StateOf)], [.. LinksOf(changes, names)],
            [.. now.Components.SelectMany(c => RegionsOf(c, names))]);
    }

    /// <summary>What the charts have of it.</summary>
    public static ChartPoint PointOf(RackState state, DateTimeOffset time) => new(
        time.ToUnixTimeMilliseconds() / 1e3,
        state.Components.ToDictionary(c => c.Name, c => new[] { c.CpuPercent, c.Messages, c.LocalPercent, c.Fetched }));

    private static ComponentState StateOf(ComponentChange change)
    {
        ComponentLine line = change.Now.Component;
        bool isProcessor = change.IsProcessor;
        return new ComponentState(
            line.Name, Lower(line.Kind), line.Node, line.State, line.Cpus, line.MemoryBytes, change.Now.ResidentBytes,
            change.InUseBytes, change.ProcessorPercent,
            isProcessor ? change.Now.Counters.GetValueOrDefault("processor.processes") : null,
            isProcessor ? change.Faults : null, change.LocalPercent, isProcessor ? change.Fetched : null,
            isProcessor ? change.WrittenBack : null, change.Messages, change.Kilobytes);
    }

    /// <summary>A link is there when one of its ends has ever called the other one.</summary>
    private static IEnumerable<LinkState> LinksOf(ComponentChange[] changes, Dictionary<int, string> names)
    {
        for (int first = 0; first < changes.Length; first++)
        {
            for (int second = first + 1; second < changes.Length; second++)
            {
                ComponentChange one = changes[first];
                ComponentChange other = changes[second];
                double? calls = one.CallsTo(other.Now.Component.Node);
                double? callsBack = other.CallsTo(one.Now.Component.Node);
                if (calls is not null || callsBack is not null)
                {
                    yield return new LinkState(names[one.Now.Component.Node], names[other.Now.Component.Node], calls ?? 0, callsBack ?? 0);
                }
            }
        }
    }

    private static IEnumerable<RegionShare> RegionsOf(ComponentSample home, Dictionary<int, string> names)
    {
        foreach ((string counter, ulong runs) in home.Counters)
        {
            if (counter.StartsWith(RegionPrefix, StringComparison.Ordinal) && counter.EndsWith(".runs", StringComparison.Ordinal))
            {
                string owner = counter[RegionPrefix.Length..^".runs".Length];
                int node = int.Parse(owner, CultureInfo.InvariantCulture);
                yield return new RegionShare(home.Component.Name, names.GetValueOrDefault(node, $"node {owner}"), runs,
                    home.Counters.GetValueOrDefault($"{RegionPrefix}{owner}.spaces"),
                    home.Counters.GetValueOrDefault($"{RegionPrefix}{owner}.bytes"));
            }
        }
    }

    private static string Lower(Enum value) => value.ToString().ToLowerInvariant();
}
