// The rows of `lego top`: what each component did between two samples, a second.

using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Lego.Tool;

/// <summary>Makes the rows.</summary>
internal static class TopTable
{
    /// <summary>The columns; rates are a second.</summary>
    public static readonly string[] Headers =
        ["name", "kind", "cpu %", "host memory", "in use", "processes", "faults", "local %", "fetched", "written back", "messages", "KB"];

    /// <summary>A row for each component of the later sample; what a kind of component does not have is a dash.</summary>
    public static IEnumerable<string[]> Rows(TopSample before, TopSample now) => ComponentChange.Between(before, now).Select(Row);

    private static string[] Row(ComponentChange change)
    {
        ComponentSample component = change.Now;
        bool isProcessor = change.IsProcessor;
        return
        [
            component.Component.Name, component.Component.Kind.ToString().ToLowerInvariant(), Text(change.ProcessorPercent),
            $"{component.ResidentBytes / ByteSize.MiB}M", change.InUseBytes is { } bytes ? $"{bytes / (ulong)ByteSize.MiB}M" : "-",
            isProcessor ? $"{component.Counters.GetValueOrDefault("processor.processes")}" : "-",
            isProcessor ? Text(change.Faults) : "-",
            change.LocalPercent is { } local ? Text(local) : "-",
            isProcessor ? Text(change.Fetched) : "-",
            isProcessor ? Text(change.WrittenBack) : "-",
            Text(change.Messages), Text(change.Kilobytes),
        ];
    }

    private static string Text(double value) => value.ToString("0", CultureInfo.InvariantCulture);
}
