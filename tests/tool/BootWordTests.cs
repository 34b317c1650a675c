// Words of --boot: who has which, and that the table of them is what the images read and what docs/operating.md lists.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Lego.Tool.Tests;

public partial class BootWordTests
{
    /// <summary>What the tool writes itself, from a rack's description.</summary>
    private static readonly string[] s_written = ["component", "name", "node", "link", "peers", "excache", "ways", "policy", "memory",
        "probe", "address"];

    private static readonly string s_root = FindRoot();

    [Theory]
    [InlineData("p0:piggyback=off", "p0")]
    [InlineData("memory:region=2G", "m0")]
    [InlineData("g0:placement=round-robin", "g0")]
    public void A_word_goes_to_the_component_that_it_names(string text, string name)
    {
        RackDescription rack = BootWord.AddTo(RackDescription.Default, text);
        Assert.All(rack.Components, c => Assert.Equal(c.Name == name ? [text[(text.IndexOf(':') + 1)..]] : [], c.BootArguments));
    }

    [Fact]
    public void A_machine_of_all_monitors_has_the_words_of_each()
    {
        RackDescription rack = BootWord.AddTo(BootWord.AddTo(RackDescription.Default.ToSolo(), "processor:trace=on"),
            "manager:fail_ms=9000");
        Assert.Equal(["trace=on", "fail_ms=9000"], rack.Components.Single().BootArguments);
    }

    [Fact]
    public void Of_a_word_that_is_given_twice_the_last_one_counts()
    {
        RackDescription rack = BootWord.AddTo(BootWord.AddTo(RackDescription.Default, "p0:seed=1"), "p0:seed=2");
        Assert.Equal(["seed=2"], rack.Components[0].BootArguments);
    }

    [Theory]
    [InlineData("p0:pigyback=off", "p0 (processor) has no boot word 'pigyback'; it has bench=on|off, corrupt=N")]
    [InlineData("m0:piggyback=off", "m0 (memory) has no boot word 'piggyback'; it has corrupt=N")]
    [InlineData("p0:name=p9", "has no boot word 'name'")]
    [InlineData("p0", "p0 (processor), m0 (memory), s0 (storage), g0 (manager)")]
    [InlineData("p1:seed=1", "p0 (processor), m0 (memory), s0 (storage), g0 (manager)")]
    [InlineData("p0:piggyback=maybe", "write piggyback=on|off")]
    [InlineData("p0:piggyback", "write piggyback=on|off")]
    [InlineData("p0:seed=", "write seed=N")]
    [InlineData("m0:region=much", "write region=SIZE")]
    [InlineData("p0:seed=1 drop=5", "write seed=N")]
    public void What_nobody_would_read_is_refused_with_a_list_of_what_there_is(string text, string part)
    {
        ToolException error = Assert.Throws<ToolException>(() => BootWord.AddTo(RackDescription.Default, text));
        Assert.Equal(ExitStatus.Usage, error.Status);
        Assert.StartsWith($"--boot {text}: ", error.Message);
        Assert.Contains(part, error.Message);
    }

    [Fact]
    public void The_words_are_those_that_the_images_read()
    {
        string[] sources = ["boot/common", "boot/manager", "boot/memory", "boot/processor", "boot/solo", "boot/storage", "kernel",
            "monitors", "drivers"];
        HashSet<string> read = [.. sources
            .SelectMany(folder => Directory.GetFiles(Path.Combine(s_root, folder), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => LookUp().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value)];
        Assert.Equal(read.Except(s_written).Order(), BootWord.All.Select(word => word.Key).Order());
    }

    [Fact]
    public void The_manual_lists_them()
    {
        string manual = File.ReadAllText(Path.Combine(s_root, "docs", "operating.md"));
        string table = manual[manual.IndexOf("### Boot line")..];
        table = table[..table.IndexOf("\n### ")];
        HashSet<string> listed = [.. Quoted().Matches(table).Select(match => match.Groups[1].Value)];
        Assert.Empty(BootWord.All.Select(word => word.Key).Except(listed));
    }

    private static string FindRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "LegoKernel.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }

    [GeneratedRegex("BootArguments\\.\\w+\\(\"(\\w+)\"u8")]
    private static partial Regex LookUp();

    [GeneratedRegex("`(\\w+)[=`]")]
    private static partial Regex Quoted();
}
