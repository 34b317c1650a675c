// Nothing may be left when all programs have ended: the monitors' own counters say so, the same that `lego stats` prints.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Compares counters with what they were when no program ran.</summary>
internal sealed class ResourceCheck
{
    /// <summary>
    /// How long the ends of processes may take until all components have heard of them: messages may get lost more than once.
    /// </summary>
    private const ulong MostSettleNs = 3_000_000_000;
    private const ulong LookNs = 50_000_000;
    private const int ReportBytes = 32 * 1024;

    private static readonly string[] s_mustReturn =
    [
        "processor.processes", "processor.files.open", "processor.files.tables", "processor.files.nodes", "processor.files.pipes",
        "processor.files.sessions", "processor.excache.entries_mapped", "memory.spaces", "memory.parts", "memory.vmas",
        "memory.frames_used",
        "memory.cache_mapped_pages", "storage.free_inodes", "manager.sessions.running",
    ];

    private readonly Rack _rack;
    private readonly Dictionary<string, ulong> _before;

    internal ResourceCheck(Rack rack)
    {
        _rack = rack;
        _before = Counters(rack);
    }

    /// <summary>Driver only. BLOCKS in simulated time.</summary>
    internal void AreBack()
    {
        _rack.CheckFileCaches();
        string left = "";
        for (ulong waitedNs = 0; waitedNs < MostSettleNs; waitedNs += LookNs)
        {
            Scheduler.Sleep(LookNs);
            Dictionary<string, ulong> after = Counters(_rack);
            IEnumerable<string> differing = s_mustReturn.Where(name => _before[name] != after[name]);
            left = string.Join(", ", differing.Select(name => $"{name} {after[name]} instead of {_before[name]}"));
            if (left.Length == 0)
            {
                return;
            }
        }

        throw new CheckFailed($"when all programs have ended something is left: {left}");
    }

    /// <summary>All counters of the rack, added up over components.</summary>
    internal static Dictionary<string, ulong> Counters(Rack rack)
    {
        StatisticsWriter writer = new(new byte[ReportBytes]);
        rack.Report(ref writer);
        Check.That(!writer.Truncated, "the report is longer than its buffer");
        Dictionary<string, ulong> counters = [];
        foreach (string line in Encoding.ASCII.GetString(writer.Text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            int space = line.IndexOf(' ');
            string name = line[..space];
            counters[name] = counters.GetValueOrDefault(name) + ulong.Parse(line[(space + 1)..], CultureInfo.InvariantCulture);
        }

        return counters;
    }
}
