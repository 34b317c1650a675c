// A measuring program on a rack and in a Linux guest that are up side by side, the same static program under the same QEMU flags. Each
// round runs every row on one and at once on the other, so that what else the host does meets both; a figure is the median of the rounds.
// The guest's files are on ext4 on a virtio disk, the rack's on its storage component.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>What to measure. The program lists its rows without arguments, and runs one with its name and further arguments.</summary>
internal sealed record SideBySideOrder
{
    public required RackDescription Rack { get; init; }
    /// <summary>The C program, relative to the repository's root, and where it lies on both sides.</summary>
    public required string Source { get; init; }
    public required string GuestPath { get; init; }
    /// <summary>Rows by name; none means all.</summary>
    public required IReadOnlyList<string> Rows { get; init; }
    public required int Rounds { get; init; }
    /// <summary>What follows the row's name.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }
    /// <summary>Further files of both sides.</summary>
    public IReadOnlyList<AddedFile> Files { get; init; } = [];
    /// <summary>Loops that keep the host busy.</summary>
    public int Busy { get; init; }
}

/// <summary>Runs such a bench.</summary>
internal static class SideBySideBench
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    /// <summary>Measures; throws a ToolException for a row that does not exist and when a side cannot be booted.</summary>
    public static async Task<IReadOnlyList<SystemCallRow>> RunAsync(SideBySideOrder order, CancellationToken cancellation)
    {
        string program = await CProgram.EnsureAsync(order.Source);
        List<SystemCallRow> rows = SystemCallBench.Choose(await HostProgram.RunAsync(program, []), order.Rows);
        Progress progress = new(ProgressStyle.Open);
        LinuxKernel kernel = await LinuxKernel.EnsureAsync(progress);
        List<AddedFile> files = [AddedFile.Parse($"{program}:{order.GuestPath}"), .. order.Files];
        string volume = Path.Combine(HostPaths.Volumes, $".bench-{Environment.ProcessId}.img");
        using ScratchDirectory scratch = new("bench");
        scratch.Own(volume);
        await Ext4Image.CopyAsync(await DefaultVolume.EnsureAsync(progress), volume);
        await AddedFile.PutAllAsync(files, volume);
        RackOrder rackOrder = new(order.Rack, files, $"bench-{Environment.ProcessId}");
        await using Rack rack = await Rack.BootAsync(rackOrder, progress, cancellation);
        using MachineStarter starter = new();
        await using LinuxGuest guest = await BootAsync(kernel, volume, order.Rack, rack.Accelerator!.Value, starter, progress,
            cancellation);
        using BusyLoops loops = await BusyLoops.StartAsync(order.Busy, starter);
        for (int round = 1; round <= order.Rounds; round++)
        {
            using IDisposable step = progress.Step($"round {round} of {order.Rounds}");
            await RunRoundAsync(order, rows, rack, guest, cancellation);
        }

        return rows;
    }

    private static async Task<LinuxGuest> BootAsync(LinuxKernel kernel, string volume, RackDescription rack, Accelerator accelerator,
        MachineStarter starter, Progress progress, CancellationToken cancellation)
    {
        using IDisposable step = progress.Step($"booting Linux {kernel.Name}");
        return await LinuxGuest.BootAsync(kernel, volume, rack, accelerator, starter, cancellation);
    }

    private static async Task RunRoundAsync(
        SideBySideOrder order, List<SystemCallRow> rows, Rack rack, LinuxGuest guest, CancellationToken cancellation)
    {
        foreach (SystemCallRow row in rows)
        {
            cancellation.ThrowIfCancellationRequested();
            string[] words = [order.GuestPath, row.Name, .. order.Arguments];
            if (row.Linux.Reason is null)
            {
                row.Linux.Add(row.Name, await guest.RunAsync(words, s_limit, cancellation));
            }

            if (row.Rack.Reason is null)
            {
                row.Rack.Add(row.Name, await rack.RunAsync(new ProgramOptions { Limit = s_limit }, words));
            }
        }
    }
}
