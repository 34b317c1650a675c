// What the page is told of a rack; System.Text.Json makes it camelCase.

using System.Collections.Generic;

namespace Lego.Dashboard;

/// <summary>Whether the rack is up; otherwise why not.</summary>
internal sealed record RackCondition(bool IsUp, string Sentence);

/// <summary>A rack at one moment; rates are a second.</summary>
internal sealed record RackState(
    string Link, IReadOnlyList<ComponentState> Components, IReadOnlyList<LinkState> Links, IReadOnlyList<RegionShare> Regions);

/// <summary>A component, with what `lego top` shows of it. What its kind does not have is null.</summary>
internal sealed record ComponentState(
    string Name, string Kind, int Node, string State, int Cpus, long MemoryBytes, long HostBytes, ulong? InUseBytes, double CpuPercent,
    ulong? Processes, double? Faults, double? LocalPercent, double? Fetched, double? WrittenBack, double Messages, double Kilobytes);

/// <summary>Calls between two components: of the first by the second, and the other way.</summary>
internal sealed record LinkState(string From, string To, double Calls, double CallsBack);

/// <summary>The vRegions of the spaces of a home that one component owns.</summary>
internal sealed record RegionShare(string Home, string Owner, ulong Runs, ulong Spaces, ulong Bytes);

/// <summary>A moment of the charts: of each component its share of a core, messages, share of faults without one, lines fetched.</summary>
internal sealed record ChartPoint(double Time, IReadOnlyDictionary<string, double?[]> Values);

/// <summary>A line of a component's log.</summary>
internal sealed record LogEntry(string Component, string Text);
