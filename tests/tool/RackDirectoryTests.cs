// What a rack leaves behind, and what the next start of the tool makes of it.

using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public class RackDirectoryTests
{
    [Fact]
    public void A_rack_whose_checkout_has_been_deleted_is_removed_all_the_same()
    {
        string kept = Path.GetTempFileName();
        RackDirectory rack = RackDirectory.TryCreate($"test-{Guid.NewGuid():N}")!;
        rack.Own($"/tmp/{Guid.NewGuid():N}/out/volumes/.copy-1.img");
        rack.Own(kept);
        rack.Dispose();
        Assert.False(Directory.Exists(rack.Path) || File.Exists(kept));
    }

    [Fact]
    public void A_commands_files_go_with_it_and_a_leftover_that_cannot_be_removed_holds_nobody_up()
    {
        string path;
        string elsewhere = Path.GetTempFileName();
        using (ScratchDirectory scratch = new("test"))
        {
            path = Directory.CreateDirectory(Path.Combine(scratch.Path, "deep", "deeper")).FullName;
            File.WriteAllText(Path.Combine(path, "file"), "x");
            scratch.Own(elsewhere);
            scratch.Own("/proc/version");
            RackDirectory.Sweep();
            Assert.True(Directory.Exists(path), "a living command keeps its files");
        }

        Assert.False(Directory.Exists(path) || File.Exists(elsewhere));
    }

    [Fact]
    public void Files_of_a_command_that_was_killed_are_swept()
    {
        string owner = Directory.CreateDirectory(Path.Combine(HostPaths.Racks, $"test-{Guid.NewGuid():N}")).FullName;
        string left = Directory.CreateTempSubdirectory("lego-test-").FullName;
        File.WriteAllText(Path.Combine(owner, "lock"), "");
        File.WriteAllText(Path.Combine(owner, "owned"), left + "\n");
        RackDirectory.Sweep();
        Assert.False(Directory.Exists(owner) || Directory.Exists(left));
    }

    [Fact]
    public void Of_racks_that_end_at_once_one_leaves_its_logs_and_they_are_whole()
    {
        RackDirectory[] racks = [.. Enumerable.Range(0, 16).Select(_ => RackDirectory.TryCreate($"test-{Guid.NewGuid():N}")!)];
        foreach (RackDirectory rack in racks)
        {
            File.WriteAllText(rack.SerialLog("p0"), rack.Id);
            File.WriteAllText(rack.SerialLog("m0"), rack.Id);
        }

        Parallel.ForEach(racks, rack => rack.Dispose(["p0", "m0", "g0"]));
        Assert.DoesNotContain(racks, rack => Directory.Exists(rack.Path));
        string[] logs = [.. Directory.GetFiles(HostPaths.LastLogs).Order()];
        Assert.Equal(["m0.log", "p0.log"], logs.Select(Path.GetFileName));
        Assert.Single(logs.Select(File.ReadAllText).Distinct());
    }

    [Fact]
    public void What_became_of_a_rack_that_nobody_took_down_is_told_once()
    {
        string racks = Directory.CreateTempSubdirectory("lego-racks-").FullName;
        try
        {
            Assert.Null(FallenRack.Take(racks, "up"));
            Assert.Null(FallenRack.Take(racks, "up-other"));
            FallenRack.Note(racks, "up", "m0 (memory) was killed");
            Assert.Equal("m0 (memory) was killed", FallenRack.Take(racks, "up"));
            Assert.Null(FallenRack.Take(racks, "up"));
        }
        finally
        {
            Directory.Delete(racks, recursive: true);
        }
    }
}
