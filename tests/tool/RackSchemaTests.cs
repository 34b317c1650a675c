// The published schema of rack files and the reader are of one mind, the documentation's examples fit both, and what does not fit is shown
// with its line and column.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Xunit;

namespace Lego.Tool.Tests;

public partial class RackSchemaTests
{
    private static readonly string[] s_kinds = ["processor", "memory", "storage", "manager"];

    [Fact]
    public void The_schema_has_the_keys_that_the_reader_reads()
    {
        Assert.Equal(KeysOf(typeof(RackFile.Document)), Names(RackSchema.Text["properties"]!));
        IEnumerable<string> ofComponents = s_kinds.SelectMany(kind => Names(RackSchema.Text["$defs"]![kind]!["properties"]!));
        Assert.Equal(KeysOf(typeof(RackFile.Entry)), ofComponents.Distinct().Order());
    }

    [Fact]
    public void The_schemas_words_are_those_that_the_reader_knows()
    {
        JsonNode processor = RackSchema.Text["$defs"]!["processor"]!["properties"]!;
        Assert.Equal(Words<ExCachePolicy>(), Enumeration(processor["policy"]!));
        Assert.Equal(Words<VectorRegisters>(), Enumeration(processor["vectors"]!));
        Assert.Equal(Words<ProcessPolicy>(), Enumeration(RackSchema.Text["$defs"]!["manager"]!["properties"]!["processes"]!));
        Assert.Equal(Words<CardModel>(), Enumeration(RackSchema.Text["$defs"]!["card"]!));
        Assert.Equal(Words<NetworkKind>(), Enumeration(RackSchema.Text["properties"]!["network"]!));
        Assert.Equal(Words<LinkKind>().Except(["local"]), Enumeration(RackSchema.Text["properties"]!["link"]!));
        Assert.Equal(Words<ComponentKind>().Except(["solo"]), s_kinds.Order());
    }

    [Fact]
    public void The_examples_of_the_documentation_are_rack_files()
    {
        string text = File.ReadAllText(Path.Combine(HostPaths.Root, "docs", "operating.md"));
        string[] examples = [.. YamlBlocks().Matches(text).Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(examples);
        Assert.All(examples, example => Assert.NotEmpty(RackFile.Parse(example, "operating.md").Components));
    }

    [Theory]
    [InlineData("link: pigeon\ncomponents:\n  - kind: memory", "r:1:7: 'pigeon' is none of ring, ethernet")]
    [InlineData("components:\n  - kind: memory\n    memroy: 1G", "r:3:5: there is no key 'memroy' here; write some of kind, name, memory")]
    [InlineData("components:\n  - kind: memory\n    ways: 4", "r:3:5: ways belongs to a processor component")]
    [InlineData("components:\n  - kind: processor\n    cpus: two", "r:3:11: 'two' is not a positive number")]
    [InlineData("components:\n  - kind: processor\n    cpus: 99999999999", "r:3:11: ")]
    [InlineData("components:\n  - kind: processor\n    ways: 1.0", "r:3:11: ")]
    [InlineData("components:\n  - kind: processor\n    cores: 1", "r:3:12: '1' is not a list of this host's cores")]
    [InlineData("components:\n  - kind: memory\n    image: ../x", "r:3:12: '../x' is not a name of an image")]
    [InlineData("components:\n  - memory: 1G", "r:2:5: this component has no kind")]
    [InlineData("publish: [80]\ncomponents:\n  - kind: memory", "r:1:11: '80' is not a port such as")]
    [InlineData("components:\n  - kind: memory\n    kind: memory", "r:3:5: ")]
    [InlineData("components:\n  - &a\n    - *a", "r:")]
    [InlineData("components:\n  - {kind: memory, memory: 1G}\n  - kind: processor\n    memory: 64M\n    excache: 60M",
        "r:3:5: p0 (processor): an ExCache")]
    public void What_does_not_fit_is_shown_with_its_line_and_column(string text, string beginning)
    {
        ToolException error = Assert.Throws<ToolException>(() => RackFile.Parse(text, "r"));
        Assert.StartsWith(beginning, error.Message);
    }

    [Fact]
    public void A_machine_runs_on_the_hosts_cores_that_its_component_names()
    {
        RackDescription rack = RackFile.Parse(
            "components: [{kind: processor, cores: [0, 1]},{kind: memory},{kind: storage},{kind: manager}]", "r");
        Assert.Equal([0, 1], rack.Components[0].HostCores);
        Assert.Empty(rack.Components[1].HostCores);
    }

    private static IEnumerable<string> KeysOf(Type type) =>
        type.GetProperties().Select(property => char.ToLowerInvariant(property.Name[0]) + property.Name[1..]).Order();

    private static IEnumerable<string> Names(JsonNode properties) => properties.AsObject().Select(property => property.Key).Order();

    private static IEnumerable<string> Words<T>() where T : struct, Enum =>
        Enum.GetNames<T>().Select(name => name.ToLowerInvariant()).Order();

    private static IEnumerable<string> Enumeration(JsonNode schema) =>
        schema["enum"]!.AsArray().Select(word => word!.GetValue<string>()).Order();

    [GeneratedRegex("```yaml\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex YamlBlocks();
}
