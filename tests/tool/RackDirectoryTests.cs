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
}
