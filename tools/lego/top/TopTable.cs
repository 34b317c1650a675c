// The rows of `lego top`: what each component did between two samples, a second.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Lego.Tool;

/// <summary>Makes the rows.</summary>
internal static class TopTable
{
    private const ulong FrameBytes = 4096;

    /// <summary>The columns; rates are a second.</summary>
    public static readonly string[] Headers =
        ["name", "kind", "cpu %", "host memory", "in use", "processes", "faults", "local %", "fetched", "written back", "messages", "KB"];

    /// <summary>A row for each component of the later sample; what a kind of component does not have is a dash.</summary>
    public static IEnumerable<string[]> Rows(TopSample before, TopSample now)
    {
        double seconds = Math.Max((now.Time - before.Time).TotalSeconds, 1e-3);
        foreach (ComponentSample component in now.Components)
        {
            ComponentSample? earlier = before.Components.FirstOrDefault(c => c.Component.Name == component.Component.Name);
            Change change = new(earlier ?? component, component, seconds);
            yield return Row(component, change);
        }
    }

    private static string[] Row(ComponentSample component, Change change)
    {
        ComponentKind kind = component.Component.Kind;
        bool isProcessor = kind is ComponentKind.Processor or ComponentKind.Solo;
        double faults = change.Rate("processor.excache.faults");
        double fetched = change.Rate("processor.excache.fills_from_memory");
        return
        [
            component.Component.Name, kind.ToString().ToLowerInvariant(), Text(change.ProcessorPercent),
            $"{component.ResidentBytes / ByteSize.MiB}M", InUse(component),
            isProcessor ? $"{component.Counters.GetValueOrDefault("processor.processes")}" : "-",
            isProcessor ? Text(faults) : "-",
            // Faults that no message was needed for. Accesses without a fault are the hardware's and uncounted.
            isProcessor && faults > 0 ? Text(100 * Math.Max(faults - fetched, 0) / faults) : "-",
            isProcessor ? Text(fetched) : "-",
            isProcessor ? Text(change.Rate("processor.excache.flushes")) : "-",
            Text(change.RateOfAll("fabric.requests.") + change.RateOfAll("fabric.served.")),
            Text((change.Rate("fabric.bytes_sent") + change.Rate("fabric.bytes_received")) / ByteSize.KiB),
        ];
    }

    // Lines that hold something at p, frames of programs at m.
    private static string InUse(ComponentSample component) => component.Component.Kind switch
    {
        ComponentKind.Processor => Megabytes(component.Counters.GetValueOrDefault("processor.excache.lines_resident")),
        ComponentKind.Memory or ComponentKind.Solo => Megabytes(component.Counters.GetValueOrDefault("memory.frames_used")),
        _ => "-",
    };

    private static string Megabytes(ulong frames) => $"{frames * FrameBytes / (ulong)ByteSize.MiB}M";

    private static string Text(double value) => value.ToString("0", CultureInfo.InvariantCulture);

    /// <summary>What changed from one sample of a component to the next.</summary>
    private readonly record struct Change(ComponentSample Before, ComponentSample Now, double Seconds)
    {
        public double ProcessorPercent => 100 * (Now.ProcessorTime - Before.ProcessorTime).TotalSeconds / Seconds;

        // A component that answered late has no counters.
        public double Rate(string counter) => Now.Counters.TryGetValue(counter, out ulong value)
            ? Math.Max(value - (double)Before.Counters.GetValueOrDefault(counter, value), 0) / Seconds : 0;

        public double RateOfAll(string prefix)
        {
            Change change = this;
            return Now.Counters.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Sum(change.Rate);
        }
    }
}
