// The JSON of --stats and `lego stats --json`: the components' "name value" lines as nested objects. At the top stand processor.*,
// memory.*, storage.* and manager.* of all components (sums where several report one) and the fabric.* figures of the processor components;
// every component's complete counters, those of its machine and of its control channel too, are under components.NAME.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Lego.Racks;

/// <summary>Counters of a rack.</summary>
public sealed class StatisticsDocument
{
    private const string FabricPrefix = "fabric.";
    private static readonly string[] s_monitorPrefixes = ["processor.", "memory.", "storage.", "manager."];
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    private readonly SortedDictionary<string, ulong> _top = new(StringComparer.Ordinal);
    private readonly List<(string Name, SortedDictionary<string, ulong> Counters)> _components = [];

    /// <summary>Adds a component's report; lines that are not "name value" are ignored.</summary>
    internal void Add(string name, ComponentKind kind, string lines)
    {
        SortedDictionary<string, ulong> counters = Parse(lines);
        _components.Add((name, counters));
        bool isProcessor = kind is ComponentKind.Processor or ComponentKind.Solo;
        foreach ((string counter, ulong value) in counters)
        {
            bool isFabric = counter.StartsWith(FabricPrefix, StringComparison.Ordinal);
            if (isFabric ? isProcessor : s_monitorPrefixes.Any(p => counter.StartsWith(p, StringComparison.Ordinal)))
            {
                _top[counter] = _top.GetValueOrDefault(counter) + value;
            }
        }
    }

    /// <summary>The counter at the top, or 0.</summary>
    public ulong this[string name] => _top.GetValueOrDefault(name);

    /// <summary>Components in the order added, each with its counters.</summary>
    public IEnumerable<(string Name, IReadOnlyDictionary<string, ulong> Counters)> Components
        => _components.Select(c => (c.Name, (IReadOnlyDictionary<string, ulong>)c.Counters));

    /// <summary>
    /// For the report on a program that has ended: its memory has been released, so memory.frames_used becomes the most frames that
    /// programs had in use at a time since the rack booted; what is in use now is memory.frames_at_end.
    /// </summary>
    internal StatisticsDocument AfterProgram()
    {
        if (_top.TryGetValue("memory.frames_peak", out ulong peak))
        {
            _top["memory.frames_at_end"] = this["memory.frames_used"];
            _top["memory.frames_used"] = peak;
        }

        return this;
    }

    /// <summary>The document as `run --stats` writes it.</summary>
    public string ToJson()
    {
        JsonObject root = Nest(_top);
        JsonObject components = new();
        foreach ((string name, SortedDictionary<string, ulong> counters) in _components)
        {
            components[name] = Nest(counters);
        }

        root["components"] = components;
        return root.ToJsonString(s_indented);
    }

    /// <summary>Reads "name value" lines.</summary>
    internal static SortedDictionary<string, ulong> Parse(string lines)
    {
        SortedDictionary<string, ulong> counters = new(StringComparer.Ordinal);
        foreach (string line in lines.Split('\n'))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words.Length == 2 && ulong.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value))
            {
                counters[words[0]] = value;
            }
        }

        return counters;
    }

    private static JsonObject Nest(SortedDictionary<string, ulong> counters)
    {
        JsonObject root = new();
        foreach ((string name, ulong value) in counters)
        {
            string[] parts = name.Split('.');
            JsonObject at = root;
            foreach (string part in parts[..^1])
            {
                if (at[part] is not JsonObject inner)
                {
                    // A counter "a" beside "a.b": the plain one moves into the object.
                    JsonNode? plain = at[part];
                    inner = [];
                    at[part] = inner;
                    if (plain is not null)
                    {
                        inner["total"] = plain.DeepClone();
                    }
                }

                at = inner;
            }

            at[parts[^1]] = value;
        }

        return root;
    }
}
