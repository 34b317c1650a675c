// Rack files: YAML that names the link and the components of a rack. Read strictly: an unknown key, a bad size or a wrong mix of
// components is an error that names the file and the line. docs/operating.md shows an example.
//
//     link: ring
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
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Lego.Racks;

/// <summary>Reads rack files.</summary>
public static partial class RackFile
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
        Document document = Deserialize(text, source);
        if (document.Components is not { Count: > 0 })
        {
            throw ToolException.Usage($"{source}: no components; list at least a processor, a memory, a storage and a manager");
        }

        List<ComponentDescription> components = new();
        foreach (Entry? entry in document.Components)
        {
            components.Add(ToComponent(entry ?? throw ToolException.Usage($"{source}: a component is empty; give it a kind"), components,
                source));
        }

        RackDescription rack = new()
        {
            Link = ParseEnum<LinkKind>(document.Link ?? "ring", $"{source}: link"),
            Components = components,
            Network = ToNetwork(document, source),
        };
        if (rack.Link == LinkKind.Local)
        {
            throw ToolException.Usage($"{source}: link must be ring or ethernet; the local link is --solo's");
        }

        try
        {
            rack.Check();
        }
        catch (ToolException error)
        {
            throw ToolException.Usage($"{source}: {error.Message}");
        }

        return rack;
    }

    private static Document Deserialize(string text, string source)
    {
        IDeserializer yaml = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).WithDuplicateKeyChecking()
            .Build();
        try
        {
            return yaml.Deserialize<Document?>(text) ?? new Document();
        }
        catch (YamlException error)
        {
            string message = TypeNames().Replace(error.GetBaseException().Message, "");
            bool namesTypes = message.Contains("System.", StringComparison.Ordinal) || message.Contains("Lego.", StringComparison.Ordinal);
            throw ToolException.Usage($"{source}:{error.Start.Line}: {(namesTypes ? "a value of another shape belongs here" : message)}");
        }
    }

    private static ComponentDescription ToComponent(Entry entry, List<ComponentDescription> before, string source)
    {
        ComponentKind kind = ParseEnum<ComponentKind>(entry.Kind ?? "", $"{source}: kind");
        if (kind == ComponentKind.Solo)
        {
            throw ToolException.Usage($"{source}: kind must be processor, memory, storage or manager; a solo machine is --solo's");
        }

        string name = entry.Name ?? $"{KindLetters[(int)kind]}{before.Count(c => c.Kind == kind)}";
        if (!name.All(char.IsAsciiLetterOrDigit) || name.Length is < 1 or > 15)
        {
            throw ToolException.Usage($"{source}: '{name}' is no name for a component; use up to 15 letters and digits");
        }

        string where = $"{source}: {name}";
        bool isProcessor = kind == ComponentKind.Processor;
        if (!isProcessor && (entry.Excache ?? entry.Ways ?? entry.Policy ?? entry.Vectors) is not null)
        {
            throw ToolException.Usage($"{where}: excache, ways, policy and vectors belong to a processor component");
        }

        if (kind != ComponentKind.Manager && entry.Processes is not null)
        {
            throw ToolException.Usage($"{where}: processes belongs to a manager component");
        }

        if (kind != ComponentKind.Storage && entry.Volume is not null)
        {
            throw ToolException.Usage($"{where}: volume belongs to a storage component");
        }

        return new ComponentDescription
        {
            Kind = kind,
            Name = name,
            Node = before.Count + 1,
            MemoryBytes = entry.Memory is null ? DefaultMemoryOf(kind) : ByteSize.Parse(entry.Memory, $"{where}: memory"),
            Cpus = ParseCount(entry.Cpus, 1, $"{where}: cpus"),
            Vectors = entry.Vectors is null
                ? ComponentDescription.DefaultVectors
                : ParseEnum<VectorRegisters>(entry.Vectors, $"{where}: vectors"),
            ExCacheBytes = entry.Excache is not null ? ByteSize.Parse(entry.Excache, $"{where}: excache")
                : isProcessor ? RackDescription.DefaultExCacheBytes : 0,
            Ways = ParseCount(entry.Ways, 0, $"{where}: ways"),
            Policy = entry.Policy is null ? null : ParseEnum<ExCachePolicy>(entry.Policy, $"{where}: policy"),
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
            Published = [.. (document.Publish ?? []).Select(text => PublishedPort.Parse(text ?? "", $"{source}: publish"))],
        };
    }

    private static long DefaultMemoryOf(ComponentKind kind) => RackDescription.Default.Components.First(c => c.Kind == kind).MemoryBytes;

    private static int ParseCount(string? text, int fallback, string where)
    {
        if (text is null)
        {
            return fallback;
        }

        return int.TryParse(text, out int number) && number > 0
            ? number
            : throw ToolException.Usage($"{where}: '{text}' is not a positive number");
    }

    /// <summary>Reads the lower-case name of an enum's member, or fails with the list of the allowed ones.</summary>
    public static T ParseEnum<T>(string text, string where) where T : struct, Enum
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

    // "Property 'x' not found on type 'Lego.Racks...'": the reader knows keys, not this tool's classes.
    [GeneratedRegex(" (on|to|for|from|of) type '?[A-Za-z0-9_.+`\\[\\]]+'?")]
    private static partial Regex TypeNames();

    // The file's shape. Figures are kept as text so that an error can quote what was written.
    private sealed class Document
    {
        public string? Link { get; set; }
        public string? Network { get; set; }
        public string? Nic { get; set; }
        public string? FabricNic { get; set; }
        public List<string?>? Publish { get; set; }
        public List<Entry?>? Components { get; set; }
    }

    private sealed class Entry
    {
        public string? Kind { get; set; }
        public string? Name { get; set; }
        public string? Memory { get; set; }
        public string? Cpus { get; set; }
        public string? Vectors { get; set; }
        public string? Excache { get; set; }
        public string? Ways { get; set; }
        public string? Policy { get; set; }
        public string? Volume { get; set; }
        public string? Processes { get; set; }
    }
}
