// Holds the order inside the processor component: excache, then process, then network, then files, then linux (and what puts them
// together); nothing names what comes after it. Judged from the sources: every type that a folder declares belongs to it, and no source of
// an earlier folder may use its name.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Lego.Tests.Layering;

public sealed class ProcessorOrderTests
{
    private const string Component = "monitors/processor/";

    private static readonly string[] s_order = ["excache", "process", "network", "files", "linux"];

    private static readonly Regex s_declaration =
        new(@"^(?:public|internal)[\w ]*\b(?:class|struct|enum|interface)\s+(\w+)", RegexOptions.Compiled | RegexOptions.Multiline);

    /// <summary>A name that is not a member of something, and not the name of a member that is declared or set here.</summary>
    private static readonly Regex s_name = new(@"(?<![\w.>])[A-Z]\w*\b(?!\s*(?:=[^=>]|;))", RegexOptions.Compiled);

    [Fact]
    public void No_layer_of_the_processor_component_names_one_above_it()
    {
        List<(int Layer, string Path, string Code)> sources =
            [.. KernelSources.In(Component).Select(path => (LayerOf(path), path, KernelSources.WithoutTexts(KernelSources.CodeOf(path))))];
        Dictionary<string, int> declared = [];
        foreach ((int layer, _, string code) in sources)
        {
            foreach (Match match in s_declaration.Matches(code))
            {
                declared[match.Groups[1].Value] = layer;
            }
        }

        List<string> violations = [];
        foreach ((int layer, string path, string code) in sources)
        {
            violations.AddRange(Names(code).Where(name => declared.TryGetValue(name, out int other) && other > layer)
                .Select(name => $"{path} names {name}, which is of {s_order[declared[name]]}/"));
        }

        Assert.True(declared.Count > 100, "the types of the processor component were not found");
        Assert.Empty(violations);
    }

    [Theory]
    [InlineData("OpenFile* file = null;", true)]
    [InlineData("return OpenFile.Create(files);", true)]
    [InlineData("process->OpenFile;", false)]
    [InlineData("public uint OpenFile;", false)]
    [InlineData("new Thing { OpenFile = 1 }", false)]
    public void Members_of_the_same_name_are_no_use_of_a_type(string code, bool uses) =>
        Assert.Equal(uses, Names(code).Contains("OpenFile"));

    private static IEnumerable<string> Names(string code) => s_name.Matches(code).Select(match => match.Value).Distinct();

    private static int LayerOf(string path)
    {
        string folder = path[Component.Length..].Split('/')[0];
        int layer = Array.IndexOf(s_order, folder);
        // What stands beside the folders puts them together.
        return layer < 0 ? s_order.Length - 1 : layer;
    }
}
