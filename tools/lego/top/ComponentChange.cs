// What a component did between two samples, a second: for the rows of `lego top` and the page of `lego dashboard`.

using System;
using System.Collections.Generic;
using System.Linq;

namespace Lego.Tool;

/// <summary>What changed from one sample of a component to the next.</summary>
internal readonly record struct ComponentChange(ComponentSample Before, ComponentSample Now, double Seconds)
{
    private const ulong FrameBytes = 4096;

    /// <summary>One for each component of the later sample; of one that is new there is no change.</summary>
    public static IEnumerable<ComponentChange> Between(TopSample before, TopSample now)
    {
        double seconds = Math.Max((now.Time - before.Time).TotalSeconds, 1e-3);
        return now.Components.Select(component => new ComponentChange(
            before.Components.FirstOrDefault(c => c.Component.Name == component.Component.Name) ?? component, component, seconds));
    }

    /// <summary>Whether it runs programs.</summary>
    public bool IsProcessor => Now.Component.Kind is ComponentKind.Processor or ComponentKind.Solo;

    /// <summary>Share of a host core; none of a machine that is gone.</summary>
    public double ProcessorPercent => 100 * Math.Max((Now.ProcessorTime - Before.ProcessorTime).TotalSeconds, 0) / Seconds;

    /// <summary>Lines that hold something at p, frames of programs at m; null at others.</summary>
    public ulong? InUseBytes => Now.Component.Kind switch
    {
        ComponentKind.Processor => FrameBytes * Now.Counters.GetValueOrDefault("processor.excache.lines_resident"),
        ComponentKind.Memory or ComponentKind.Solo => FrameBytes * Now.Counters.GetValueOrDefault("memory.frames_used"),
        _ => null,
    };

    /// <summary>Page faults that the ExCache has had.</summary>
    public double Faults => Rate("processor.excache.faults");

    /// <summary>Lines that came from memory components.</summary>
    public double Fetched => Rate("processor.excache.fills_from_memory");

    /// <summary>Lines that went back to them.</summary>
    public double WrittenBack => Rate("processor.excache.flushes");

    /// <summary>
    /// Share of the faults that no message was needed for; null without any. Accesses without a fault are the hardware's and uncounted.
    /// </summary>
    public double? LocalPercent => IsProcessor && Faults > 0 ? 100 * Math.Max(Faults - Fetched, 0) / Faults : null;

    /// <summary>Requests that it has made and served.</summary>
    public double Messages => RateOfAll("fabric.requests.") + RateOfAll("fabric.served.");

    /// <summary>Kilobytes that it has sent and received.</summary>
    public double Kilobytes => (Rate("fabric.bytes_sent") + Rate("fabric.bytes_received")) / ByteSize.KiB;

    /// <summary>Its calls of another component; null when it has never called it.</summary>
    public double? CallsTo(int node) => Now.Counters.ContainsKey($"fabric.calls_to.{node}") ? Rate($"fabric.calls_to.{node}") : null;

    // A component that answered late has no counters.
    private double Rate(string counter) => Now.Counters.TryGetValue(counter, out ulong value)
        ? Math.Max(value - (double)Before.Counters.GetValueOrDefault(counter, value), 0) / Seconds : 0;

    private double RateOfAll(string prefix)
    {
        ComponentChange change = this;
        return Now.Counters.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Sum(change.Rate);
    }
}
