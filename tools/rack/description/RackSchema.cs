// The published schema of rack files, docs/rack.schema.json, which is in this assembly: judges a file and says in a sentence what the first
// wrong thing is and where it stands. Schemas say "title" for what the sentence calls a value.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using Json.Schema;
using YamlDotNet.Core;

namespace Lego.Racks;

/// <summary>Judges rack files by their schema.</summary>
internal static class RackSchema
{
    private const string ResourceName = "rack.schema.json";
    private const string NoOtherKeys = "/additionalProperties";
    private static readonly string[] s_kinds = ["processor", "memory", "storage", "manager"];

    private static readonly Lazy<JsonNode> s_text = new(ReadText);
    private static readonly Lazy<JsonSchema> s_schema = new(() => JsonSchema.FromText(s_text.Value.ToJsonString()));

    /// <summary>The schema itself.</summary>
    public static JsonNode Text => s_text.Value;

    /// <summary>The first thing in the file that the schema does not allow, or null.</summary>
    public static (Mark Place, string Sentence)? FirstError(YamlTree file)
    {
        using JsonDocument document = JsonDocument.Parse(file.Root?.ToJsonString() ?? "{}");
        EvaluationOptions options = new() { OutputFormat = OutputFormat.List };
        EvaluationResults results = s_schema.Value.Evaluate(document.RootElement, options);
        if (results.IsValid)
        {
            return null;
        }

        return Leaves(results).Select(leaf => Describe(file, leaf)).OfType<(Mark Place, string Sentence)>()
            .OrderBy(error => error.Place.Index).First();
    }

    private static IEnumerable<EvaluationResults> Leaves(EvaluationResults results) =>
        new[] { results }.Concat((results.Details ?? []).SelectMany(Leaves)).Where(one => !one.IsValid && one.Errors is { Count: > 0 });

    private static (Mark Place, string Sentence)? Describe(YamlTree file, EvaluationResults leaf)
    {
        string at = leaf.InstanceLocation.ToString();
        string path = leaf.EvaluationPath.ToString();
        if (path.EndsWith(NoOtherKeys, StringComparison.Ordinal))
        {
            JsonNode? keys = FindSchema(path[..^NoOtherKeys.Length])?["properties"];
            return (file.PlaceOf($"{at}#key"), DescribeKey(at[(at.LastIndexOf('/') + 1)..], keys));
        }

        JsonNode? schema = FindSchema(path);
        JsonNode? value = file.Root is null ? null : Find(file.Root, at);
        string? title = schema?["title"]?.GetValue<string>();

        foreach (string keyword in leaf.Errors!.Keys)
        {
            switch (keyword)
            {
                case "enum":
                    IEnumerable<string> allowed = schema!["enum"]!.AsArray().Select(one => one!.GetValue<string>());
                    return (file.PlaceOf(at), $"{Quote(value)} is none of {string.Join(", ", allowed)}");
                case "required" when at.Length == 0:
                    return (file.PlaceOf(at), "no components; list at least a processor, a memory, a storage and a manager");
                case "required":
                    return (file.PlaceOf(at), "this component has no kind; it needs one");
                case "type" or "pattern" or "minimum" or "minItems" when title is not null:
                    return (file.PlaceOf(at), value is null ? $"nothing is written where {title} belongs"
                        : value is JsonValue ? $"{Quote(value)} is not {title}" : $"{title} belongs here");
            }
        }

        return null;
    }

    private static string DescribeKey(string key, JsonNode? keys)
    {
        string[] owners = [.. s_kinds.Where(kind => Text["$defs"]![kind]!["properties"]!.AsObject().ContainsKey(key))];
        bool isOthers = keys?["kind"] is not null && owners.Length > 0;
        return isOthers
            ? $"{key} belongs to a {string.Join(" or ", owners)} component"
            : $"there is no key '{key}' here; write some of {string.Join(", ", keys?.AsObject().Select(one => one.Key) ?? [])}";
    }

    // The schema that an evaluation has come to. The library (8.0.5) names some steps twice ("items/items"): a step that leads nowhere is
    // passed over.
    private static JsonNode? FindSchema(string path)
    {
        JsonNode? at = Text;
        foreach (string step in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            at = step == "$ref" ? Find(Text, at!["$ref"]!.GetValue<string>().TrimStart('#'))
                : at is JsonArray || (at is JsonObject keywords && keywords.ContainsKey(step)) ? Find(at, step)
                : at;
        }

        return at;
    }

    private static string Quote(JsonNode? value) => value is null ? "nothing" : $"'{value}'";

    private static JsonNode? Find(JsonNode node, string pointer)
    {
        JsonNode? at = node;
        foreach (string part in pointer.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            string name = part.Replace("~1", "/").Replace("~0", "~");
            at = at switch
            {
                JsonObject members => members[name],
                JsonArray items when int.TryParse(name, out int index) && index < items.Count => items[index],
                _ => null,
            };
        }

        return at;
    }

    private static JsonNode ReadText()
    {
        using Stream stream = typeof(RackSchema).Assembly.GetManifestResourceStream(ResourceName)!;
        return JsonNode.Parse(stream)!;
    }
}
