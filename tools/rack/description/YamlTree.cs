// A YAML document as a tree of JSON values, which a JSON schema can judge, and where in the file each value stands. Plain scalars are what
// YAML 1.2's core schema makes of them (yaml.org/spec/1.2.2, 10.3.2): null, true, numbers, else text; quoted ones are text.

using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Lego.Racks;

/// <summary>Values and their places. Keys are JSON pointers (RFC 6901).</summary>
internal sealed class YamlTree
{
    /// <summary>Deeper than any rack file; a document that contains itself by an alias has no end.</summary>
    private const int MostDepth = 16;

    private readonly Dictionary<string, Mark> _places = [];

    private YamlTree(string text)
    {
        YamlStream stream = [];
        stream.Load(new StringReader(text));
        if (stream.Documents.Count > 0)
        {
            Root = Convert(stream.Documents[0].RootNode, "", MostDepth);
        }
    }

    /// <summary>The document; null when there is none, or it is empty.</summary>
    public JsonNode? Root { get; }

    /// <exception cref="YamlException">It is not YAML.</exception>
    public static YamlTree Parse(string text) => new(text);

    /// <summary>Line and column of a value, or, with its key, of the key; the document's beginning when there is no such value.</summary>
    public Mark PlaceOf(string pointer) => _places.TryGetValue(pointer, out Mark place) ? place : Mark.Empty;

    private JsonNode? Convert(YamlNode node, string pointer, int depth)
    {
        if (depth == 0)
        {
            throw new YamlException(node.Start, node.End, "lists and keys are nested too deeply");
        }

        _places.TryAdd(pointer, node.Start);
        switch (node)
        {
            case YamlMappingNode mapping:
                JsonObject members = [];
                foreach ((YamlNode key, YamlNode value) in mapping.Children)
                {
                    string name = (key as YamlScalarNode)?.Value ?? key.ToString();
                    string inner = $"{pointer}/{name.Replace("~", "~0").Replace("/", "~1")}";
                    members[name] = Convert(value, inner, depth - 1);
                    // A wrong key is shown where it stands; a wrong value too, because most are scalars behind their key.
                    _places[inner] = value is YamlScalarNode { Value.Length: > 0 } ? value.Start : key.Start;
                    _places[$"{inner}#key"] = key.Start;
                }

                return members;
            case YamlSequenceNode sequence:
                return new JsonArray([.. sequence.Children.Select((item, index) => Convert(item, $"{pointer}/{index}", depth - 1))]);
            default:
                return Scalar((YamlScalarNode)node);
        }
    }

    private static JsonValue? Scalar(YamlScalarNode node)
    {
        string text = node.Value ?? "";
        return node.Style != ScalarStyle.Plain ? JsonValue.Create(text) : text switch
        {
            "" or "~" or "null" or "Null" or "NULL" => null,
            "true" or "True" or "TRUE" => JsonValue.Create(true),
            "false" or "False" or "FALSE" => JsonValue.Create(false),
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
                => JsonValue.Create(number),
            _ when char.IsAsciiDigit(text.TrimStart('-', '+', '.').FirstOrDefault())
                && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double real) => JsonValue.Create(real),
            _ => JsonValue.Create(text),
        };
    }
}
