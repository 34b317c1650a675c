// The words of a boot line that a user may add (--boot COMPONENT:KEY=VALUE, docs/operating.md): which kinds of component read them, and
// what they may say. An image passes over what it does not know, so that a misspelt word would change nothing and say nothing: it is
// refused here. What the tool writes itself (name, peers, excache ...) is not among them; options and rack files have it.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace Lego.Racks;

/// <summary>A key of the boot line, and who reads it.</summary>
internal sealed record BootWord(string Key, string Values, params ComponentKind[] Kinds)
{
    private const string Number = "N";
    private const string Size = "SIZE";
    private const string Switch = "on|off";

    private static readonly ComponentKind[] s_all =
        [ComponentKind.Processor, ComponentKind.Memory, ComponentKind.Storage, ComponentKind.Manager, ComponentKind.Solo];

    /// <summary>All of them, by key.</summary>
    public static IReadOnlyList<BootWord> All { get; } =
    [
        new("bench", Switch, ComponentKind.Processor, ComponentKind.Solo),
        new("corrupt", Number, s_all),
        new("drop", Number, s_all),
        new("duplicate", Number, s_all),
        new("fail_ms", Number, ComponentKind.Manager, ComponentKind.Solo),
        new("hold", Number, s_all),
        new("piggyback", Switch, ComponentKind.Processor, ComponentKind.Solo),
        new("placement", "least-loaded|round-robin", ComponentKind.Manager, ComponentKind.Solo),
        new("processes", "fewest|packed|spread", ComponentKind.Manager, ComponentKind.Solo),
        new("region", Size, ComponentKind.Memory, ComponentKind.Solo),
        new("seed", Number, s_all),
        new("spin_us", Number, s_all),
        new("stages", Switch, ComponentKind.Processor, ComponentKind.Solo),
        new("suspect_ms", Number, ComponentKind.Manager, ComponentKind.Solo),
        new("trace", Switch, ComponentKind.Processor, ComponentKind.Solo),
    ];

    /// <summary>
    /// Adds the word of --boot, COMPONENT:KEY=VALUE, to the components that it means; the last of several with one key counts.
    /// </summary>
    /// <exception cref="ToolException">No such component, no such word of it, or a value that the word cannot have.</exception>
    public static RackDescription AddTo(RackDescription rack, string text)
    {
        int colon = text.IndexOf(':');
        string name = colon < 0 ? "" : text[..colon];
        string word = text[(colon + 1)..];
        if (!rack.Components.Any(component => IsMeant(component, name)))
        {
            throw ToolException.Usage($"--boot {text}: write COMPONENT:KEY=VALUE; the components of this rack are "
                + string.Join(", ", rack.Components.Select(component => component.Title)));
        }

        return rack with
        {
            Components = [.. rack.Components.Select(component => IsMeant(component, name) ? Add(component, word, text) : component)],
        };
    }

    /// <summary>By name (p0) or by kind (processor); a solo machine is every kind.</summary>
    private static bool IsMeant(ComponentDescription component, string name) =>
        component.Name == name || component.KindName == name
        || (component.Kind == ComponentKind.Solo && Enum.GetNames<ComponentKind>().Contains(name, StringComparer.OrdinalIgnoreCase));

    private static ComponentDescription Add(ComponentDescription component, string word, string text)
    {
        int equals = word.IndexOf('=');
        string key = equals < 0 ? word : word[..equals];
        BootWord? known = All.FirstOrDefault(one => one.Key == key && one.Kinds.Contains(component.Kind));
        if (known is null)
        {
            throw ToolException.Usage($"--boot {text}: {component.Title} has no boot word '{key}'; it has "
                + string.Join(", ", All.Where(one => one.Kinds.Contains(component.Kind)).Select(one => $"{one.Key}={one.Values}")));
        }

        string value = equals < 0 ? "" : word[(equals + 1)..];
        if (!known.Takes(value))
        {
            throw ToolException.Usage($"--boot {text}: '{value}' is not what {key} may be; write {key}={known.Values}");
        }

        return component with
        {
            BootArguments = [.. component.BootArguments.Where(other => !other.StartsWith($"{key}=", StringComparison.Ordinal)), word],
        };
    }

    private bool Takes(string value) => Values switch
    {
        Number => ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out _),
        Size => ByteSize.TryParse(value, out _),
        _ => Values.Split('|').Contains(value),
    };
}
