// What a rack leaves behind, and what the next start of the tool makes of it.

using System;
using System.IO;
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
    public void What_became_of_a_rack_that_nobody_took_down_is_told_once()
    {
        string racks = Directory.CreateTempSubdirectory("lego-racks-").FullName;
        try
        {
            Assert.Null(FallenRack.Take(racks));
            FallenRack.Note(racks, "m0 (memory) was killed");
            Assert.Equal("m0 (memory) was killed", FallenRack.Take(racks));
            Assert.Null(FallenRack.Take(racks));
        }
        finally
        {
            Directory.Delete(racks, recursive: true);
        }
    }
}
