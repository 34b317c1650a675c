// How much memory this host could give to one machine: all that it has, with swap (proc(5), /proc/meminfo). Linux gives a mapping that is
// larger to nobody unless told to overcommit without bounds, and QEMU's words on it name neither the component nor the figure.

using System;
using System.IO;
using System.Linq;

namespace Lego.Racks;

/// <summary>The host's memory.</summary>
internal static class HostMemory
{
    /// <summary>RAM and swap together, bytes.</summary>
    public static long TotalBytes { get; } = Parse(File.ReadAllText("/proc/meminfo"));

    /// <summary>The sum of MemTotal and SwapTotal in a text like /proc/meminfo's.</summary>
    public static long Parse(string text) => ByteSize.KiB * text.Split('\n')
        .Select(line => line.Split([' ', ':'], StringSplitOptions.RemoveEmptyEntries))
        .Where(fields => fields is ["MemTotal" or "SwapTotal", _, "kB"]).Sum(fields => long.Parse(fields[1]));

    /// <summary>Fails with a usage sentence when a component's machine is larger than this host.</summary>
    public static void Check(RackDescription rack)
    {
        if (rack.Components.FirstOrDefault(component => component.MemoryBytes > TotalBytes) is { } component)
        {
            throw ToolException.Usage($"{component.Title}: {ByteSize.Format(component.MemoryBytes)} of memory is more than this host has "
                + $"({TotalBytes / ByteSize.MiB}M)");
        }
    }
}
