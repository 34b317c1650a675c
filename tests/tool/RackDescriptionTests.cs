// Sizes, rack files and the checks that turn impossible racks into sentences.

using System.Linq;
using Xunit;

namespace Lego.Tool.Tests;

public class RackDescriptionTests
{
    [Theory]
    [InlineData("64M", 64L << 20)]
    [InlineData("1g", 1L << 30)]
    [InlineData("4096", 4096L)]
    [InlineData("512K", 512L << 10)]
    [InlineData("2T", 2L << 40)]
    public void Sizes_read_with_powers_of_1024(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out long parsed));
        Assert.Equal(bytes, parsed);
    }

    [Theory]
    [InlineData("")]
    [InlineData("M")]
    [InlineData("-1M")]
    [InlineData("0")]
    [InlineData("1.5G")]
    [InlineData("64MB")]
    [InlineData("9999999999999G")]
    public void Text_that_is_no_size_is_refused(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(64L << 20, "64M")]
    [InlineData(4097L, "4097")]
    [InlineData(1L << 30, "1G")]
    [InlineData(1536L << 20, "1536M")]
    public void Sizes_print_in_their_shortest_exact_form(long bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));

    [Fact]
    public void The_default_rack_is_one_of_each_on_rings_with_64M_and_16M_ExCache()
    {
        RackDescription rack = RackDescription.Default;
        rack.Check();
        Assert.Equal(LinkKind.Ring, rack.Link);
        Assert.Equal(["p0", "m0", "s0", "g0"], rack.Components.Select(c => c.Name));
        Assert.Equal([1, 2, 3, 4], rack.Components.Select(c => c.Node));
        Assert.Equal((64L << 20, 16L << 20), (rack.Components[0].MemoryBytes, rack.Components[0].ExCacheBytes));
        Assert.Equal(1L << 30, rack.Components[1].MemoryBytes);
    }

    [Theory]
    [InlineData("4M", 64)]
    [InlineData("60M", 108)]
    [InlineData("17412K", 66)]
    [InlineData("1G", 1072)]
    public void A_processor_has_room_for_the_ExCache_that_is_given_alone(string excache, int megabytes)
    {
        RackDescription rack = RackFile.Parse(
            $"components: [{{kind: processor, excache: {excache}}},{{kind: memory}},{{kind: storage}},{{kind: manager}}]", "rack.yml");
        Assert.Equal(megabytes, rack.Components[0].MemoryBytes / ByteSize.MiB);
    }

    [Theory]
    [InlineData("ring", 13)]
    [InlineData("ethernet", 64)]
    public void A_rack_has_as_many_memory_components_as_its_machines_have_links(string link, int most)
    {
        RackDescription largest = RackFile.Parse(FileOf(most - 3), "rack.yml");
        Assert.Equal(most, largest.Components.Count);
        Assert.Equal(["m0", "m1", "m2"], largest.Components.Where(c => c.Kind == ComponentKind.Memory).Select(c => c.Name).Take(3));
        Assert.Contains("region=64M", QemuCommandLine.BootLine(largest, largest.Components.First(c => c.Name == "m1")));
        Assert.DoesNotContain("region=", QemuCommandLine.BootLine(largest, largest.Components.First(c => c.Name == "p0")));
        ToolException refused = Assert.Throws<ToolException>(() => RackFile.Parse(FileOf(most - 2), "rack.yml"));
        Assert.Contains($"joins at most {most} components", refused.Message);
        Assert.Throws<ToolException>(largest.ToSolo);

        string FileOf(int memories) => $"link: {link}\nregion: 64M\ncomponents:\n  - kind: processor\n"
            + string.Concat(Enumerable.Repeat("  - {kind: memory, memory: 64M}\n", memories)) + "  - kind: storage\n  - kind: manager\n";
    }

    [Fact]
    public void A_rack_file_names_components_in_node_order()
    {
        RackDescription rack = RackFile.Parse("""
            link: ethernet
            components:
              - kind: manager
              - kind: processor
                memory: 128M
                excache: 32M
                ways: 8
                policy: clock
              - {kind: memory, memory: 2G, cpus: 2, image: mymemory}
              - {kind: storage, name: disk, volume: mine}
            """, "rack.yml");
        Assert.Equal(LinkKind.Ethernet, rack.Link);
        Assert.Equal(["g0", "p0", "m0", "disk"], rack.Components.Select(c => c.Name));
        Assert.Equal((8, ExCachePolicy.Clock, 32L << 20),
            (rack.Components[1].Ways, rack.Components[1].Policy!.Value, rack.Components[1].ExCacheBytes));
        Assert.Equal((2, 2L << 30), (rack.Components[2].Cpus, rack.Components[2].MemoryBytes));
        Assert.Equal("mine", rack.Components[3].Volume);
        Assert.Equal(["manager", "processor", "mymemory", "storage"], rack.Components.Select(c => c.ImageName));
    }

    [Theory]
    [InlineData("", "no components")]
    [InlineData("components: 7", "rack.yml:1")]
    [InlineData("components:\n  - kind: memory\n    memroy: 1G", "memroy")]
    [InlineData("components:\n  - kind: toaster", "'toaster' is none of")]
    [InlineData("components:\n  - kind: memory", "at least one processor")]
    [InlineData("link: pigeon\ncomponents:\n  - kind: memory", "'pigeon' is none of")]
    [InlineData("components:\n  - {kind: memory, policy: lru}", "policy belongs to a processor")]
    [InlineData("components:\n  - {kind: memory, memory: much}", "'much' is not a size")]
    [InlineData("components: [{kind: processor},{kind: memory, memory: 8M},{kind: storage},{kind: manager}]", "too small")]
    [InlineData("components: [{kind: processor, memory: 64M, excache: 60M},{kind: memory},{kind: storage},{kind: manager}]",
        "needs a machine of at least")]
    [InlineData("components: [{kind: processor, ways: 3},{kind: memory},{kind: storage},{kind: manager}]", "3 ways do not divide")]
    [InlineData("components: [{kind: processor},{kind: memory},{kind: storage},{kind: storage},{kind: manager}]", "this one has 2")]
    [InlineData("components: [{kind: processor, processes: spread},{kind: memory},{kind: storage},{kind: manager}]", "to a manager")]
    [InlineData("components: [{kind: processor},{kind: memory},{kind: storage},{kind: manager, processes: most}]", "'most' is none of")]
    [InlineData("components: [{kind: processor, name: a},{kind: memory, name: a},{kind: storage},{kind: manager}]",
        "two components are named 'a'")]
    [InlineData("components: [{kind: processor},{kind: storage},{kind: manager}]", "at least one memory")]
    [InlineData("region: 3M\ncomponents: [{kind: processor},{kind: memory},{kind: storage},{kind: manager}]", "power of two from 2M")]
    [InlineData("region: 1M\ncomponents: [{kind: processor},{kind: memory},{kind: storage},{kind: manager}]", "power of two from 2M")]
    [InlineData("a: [", "rack.yml:")]
    [InlineData("components:\n  - null\n  - kind: memory", "nothing is written where a component")]
    public void A_wrong_rack_file_is_a_usage_error_that_says_what_is_wrong(string text, string part)
    {
        ToolException error = Assert.Throws<ToolException>(() => RackFile.Parse(text, "rack.yml"));
        Assert.Equal(ExitStatus.Usage, error.Status);
        Assert.Contains(part, error.Message);
        Assert.StartsWith("rack.yml", error.Message);
        Assert.DoesNotContain("Lego.", error.Message);
    }

    [Fact]
    public void Several_processors_have_names_and_cards_and_the_manager_a_policy_for_them()
    {
        const string Text = "components: [{kind: processor},{kind: processor},{kind: memory},{kind: storage},"
            + "{kind: manager, processes: spread}]";
        RackDescription rack = RackFile.Parse(Text, "rack.yml");
        Assert.Equal(["p0", "p1", "m0", "s0", "g0"], rack.Components.Select(c => c.Name));
        Assert.Contains("processes=spread", QemuCommandLine.BootLine(rack, rack.StartingComponent));
        Assert.All(rack.Components.Take(2), c => Assert.Contains("address=", QemuCommandLine.BootLine(rack, c)));
        Assert.Contains("several", Assert.Throws<ToolException>(() => rack.ToSolo()).Message);
    }

    [Theory]
    [InlineData(LinkKind.Ring, RackDescription.MostOnRings)]
    [InlineData(LinkKind.Ethernet, RackDescription.MostComponents)]
    public void A_link_joins_so_many_components_and_no_more(LinkKind link, int most)
    {
        RackWith(most).Check();
        ToolException error = Assert.Throws<ToolException>(RackWith(most + 1).Check);
        Assert.Contains($"at most {most} components", error.Message);

        RackDescription RackWith(int count)
        {
            ComponentDescription[] all = [.. RackDescription.Default.Components];
            return RackDescription.Default with
            {
                Link = link,
                Components = [.. all, .. Enumerable.Range(all.Length + 1, count - all.Length)
                    .Select(node => all[0] with { Name = $"p{node}", Node = node })],
            };
        }
    }

    [Fact]
    public void Solo_adds_up_the_machines_and_keeps_the_volume()
    {
        RackDescription solo = RackDescription.Default.With(ComponentKind.Storage, c => c with { Volume = "mine" }).ToSolo();
        solo.Check();
        ComponentDescription only = Assert.Single(solo.Components);
        Assert.Equal((ComponentKind.Solo, "mine", (64L << 20) + (1L << 30)), (only.Kind, only.Volume, only.MemoryBytes));
        Assert.Same(only, solo.StartingComponent);
    }

    [Fact]
    public void Frames_are_lost_on_ethernet_only()
    {
        Assert.Throws<ToolException>((RackDescription.Default with { LossPercent = 1 }).Check);
        (RackDescription.Default with { LossPercent = 1, Link = LinkKind.Ethernet }).Check();
    }
}
