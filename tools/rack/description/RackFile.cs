// Rack files: YAML that names the link and the components of a rack, as docs/rack.schema.json has it. Read strictly: an unknown key, a bad
// size or a wrong mix of components is an error that names the file, the line and the column. docs/operating.md shows an example.
//
//     link: ring
//     region: 1G
//     components:
//       - kind: processor
//         memory: 64M
//         excache: 16M
//         ways: 64
//         policy: lru
//       - kind: memory
//         memory: 1G
//       - kind: storage
//         volume: mine
//       - kind: manager

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Lego.Racks;

/// <summary>Reads rack files.</summary>
public static class RackFile
{
    private const string KindLetters = "?pmsg";

    /// <summary>Reads and checks the rack file at <paramref name="path"/>.</summary>
    public static RackDescription Load(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw ToolException.Usage($"cannot read the rack file {path}: {error.Message}");
        }
    }

    /// <summary>Reads and checks the text of a rack file; <paramref name="source"/> is its name in sentences.</summary>
    public static RackDescription Parse(string text, string source)
    {
        (YamlTree tree, Document document) = Read(text, source);
        List<ComponentDescription> components = new();
        foreach (Entry entry in document.Components)
        {
            string place = Place(source, tree.PlaceOf($"/components/{components.Count}"));
            components.Add(ToComponent(entry, components, place));
            Naming(place, components[^1].Check);
        }

        RackDescription rack = new()
        {
            Link = ParseEnum<LinkKind>(document.Link ?? "ring", $"{source}: link"),
            Components = components,
            RegionBytes = document.Region is null ? null : ByteSize.Parse(document.Region, $"{source}: region"),
            Network = ToNetwork(document, source),
        };
        Naming(source, rack.Check);
        return rack;
    }

    private static (YamlTree Tree, Document Document) Read(string text, string source)
    {
        try
        {
            YamlTree tree = YamlTree.Parse(text);
            return RackSchema.FirstError(tree) is var (place, sentence)
                ? throw ToolException.Usage($"{Place(source, place)}: {sentence}")
                : (tree, Deserialize(text));
        }
        catch (YamlException error)
        {
            throw ToolException.Usage($"{Place(source, error.Start)}: {error.GetBaseException().Message}");
        }
    }

    private static string Place(string source, Mark mark) => $"{source}:{mark.Line}:{mark.Column}";

    // What a check says gets the place in front.
    private static void Naming(string place, Action check)
    {
        try
        {
            check();
        }
        catch (ToolException error)
        {
            throw ToolException.Usage($"{place}: {error.Message}");
        }
    }

    // The schema has seen the file: each component has its kind, keys of its kind, and values of the right form. That may still be a number
    // which is none of C#'s int: 1.0, 99999999999.
    private static Document Deserialize(string text) =>
        new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).Build().Deserialize<Document>(text);

    private static ComponentDescription ToComponent(Entry entry, List<ComponentDescription> before, string place)
    {
        ComponentKind kind = ParseEnum<ComponentKind>(entry.Kind, $"{place}: kind");
        string name = entry.Name ?? $"{KindLetters[(int)kind]}{before.Count(c => c.Kind == kind)}";
        string where = $"{place}: {name}";
        long exCacheBytes = entry.Excache is not null ? ByteSize.Parse(entry.Excache, $"{where}: excache")
            : kind == ComponentKind.Processor ? RackDescription.DefaultExCacheBytes : 0;
        return new ComponentDescription
        {
            Kind = kind,
            Name = name,
            Node = before.Count + 1,
            MemoryBytes = entry.Memory is not null ? ByteSize.Parse(entry.Memory, $"{where}: memory")
                : kind == ComponentKind.Processor ? RackDescription.ProcessorMemoryFor(exCacheBytes) : DefaultMemoryOf(kind),
            Cpus = entry.Cpus,
            HostCores = entry.Cores,
            Vectors = entry.Vectors is null
                ? ComponentDescription.DefaultVectors
                : ParseEnum<VectorRegisters>(entry.Vectors, $"{where}: vectors"),
            ExCacheBytes = exCacheBytes,
            Ways = entry.Ways,
            Policy = entry.Policy is null ? null : ParseEnum<ExCachePolicy>(entry.Policy, $"{where}: policy"),
            Image = entry.Image,
            Volume = entry.Volume,
            BootArguments = entry.Processes is null
                ? []
                : [$"processes={ParseEnum<ProcessPolicy>(entry.Processes, $"{where}: processes").ToString().ToLowerInvariant()}"],
        };
    }

    private static NetworkDescription ToNetwork(Document document, string source)
    {
        NetworkDescription defaults = new();
        return defaults with
        {
            Kind = document.Network is null ? defaults.Kind : ParseEnum<NetworkKind>(document.Network, $"{source}: network"),
            Card = document.Nic is null ? defaults.Card : ParseEnum<CardModel>(document.Nic, $"{source}: nic"),
            FabricCard = document.FabricNic is null
                ? defaults.FabricCard
                : ParseEnum<CardModel>(document.FabricNic, $"{source}: fabricNic"),
            Published = [.. document.Publish.Select(text => PublishedPort.Parse(text, $"{source}: publish"))],
        };
    }

    private static long DefaultMemoryOf(ComponentKind kind) => RackDescription.Default.Components.First(c => c.Kind == kind).MemoryBytes;

    /// <summary>Reads the lower-case name of an enum's member, or fails with the list of the allowed ones.</summary>
    internal static T ParseEnum<T>(string text, string where) where T : struct, Enum
    {
        foreach (T value in Enum.GetValues<T>())
        {
            if (string.Equals(value.ToString(), text, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        string allowed = string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()));
        throw ToolException.Usage($"{where}: '{text}' is none of {allowed}");
    }

    // The file's shape. Sizes are kept as text so that an error can quote what was written.
    internal sealed class Document
    {
        public string? Link { get; set; }
        public string? Region { get; set; }
        public string? Network { get; set; }
        public string? Nic { get; set; }
        public string? FabricNic { get; set; }
        public List<string> Publish { get; set; } = [];
        public required List<Entry> Components { get; set; }
    }

    internal sealed class Entry
    {
        public required string Kind { get; set; }
        public string? Name { get; set; }
        public string? Memory { get; set; }
        public int Cpus { get; set; } = 1;
        public List<int> Cores { get; set; } = [];
        public string? Image { get; set; }
        public string? Vectors { get; set; }
        public string? Excache { get; set; }
        public int Ways { get; set; }
        public string? Policy { get; set; }
        public string? Volume { get; set; }
        public string? Processes { get; set; }
    }
}
