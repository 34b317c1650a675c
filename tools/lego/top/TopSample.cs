// What `lego top` knows about a rack at one moment: each component's counters, and what its machine takes from the host (proc(5):
// /proc/PID/stat, utime and stime in ticks of a hundredth second, and the resident pages).

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>One component: its counters, the host's processor time that its machine has had, and the host's memory that it has.</summary>
internal sealed record ComponentSample(
    ComponentLine Component, IReadOnlyDictionary<string, ulong> Counters, TimeSpan ProcessorTime, long ResidentBytes);

/// <summary>A rack at one moment.</summary>
internal sealed record TopSample(TimeSpan Time, IReadOnlyList<ComponentSample> Components)
{
    private const int UserTimeField = 11;
    private const int SystemTimeField = 12;
    private const int ResidentField = 21;
    private const double TicksPerSecond = 100;

    /// <summary>Asks the components and the host.</summary>
    public static async Task<TopSample> TakeAsync(KeeperClient client)
    {
        List<ComponentSample> components = [];
        foreach (ComponentLine component in await client.DescribeAsync())
        {
            string counters = await client.StatisticsAsync(component.Name);
            (TimeSpan time, long resident) = ParseStat(ReadStat(component.ProcessId));
            components.Add(new ComponentSample(component, StatisticsDocument.Parse(counters), time, resident));
        }

        return new TopSample(TimeSpan.FromSeconds((double)Stopwatch.GetTimestamp() / Stopwatch.Frequency), components);
    }

    /// <summary>Processor time and resident bytes in a text like /proc/PID/stat's; zeros for a process that is gone.</summary>
    public static (TimeSpan Time, long ResidentBytes) ParseStat(string text)
    {
        // The name, the second field, is in parentheses and may have any characters.
        string[] fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length <= ResidentField ? default
            : (TimeSpan.FromSeconds((Number(fields[UserTimeField]) + Number(fields[SystemTimeField])) / TicksPerSecond),
                Number(fields[ResidentField]) * Environment.SystemPageSize);
    }

    private static long Number(string field) => long.Parse(field, CultureInfo.InvariantCulture);

    private static string ReadStat(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/stat");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
