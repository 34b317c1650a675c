// The "peers=" word of a boot line: the other components of the rack as "kind:node" pairs, e.g. "memory:2,storage:3,manager:4".
// Written by the rack tool; a pair that does not parse ends the list with Malformed set. Used at boot; never blocks or allocates.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Common;

/// <summary>Walks the pairs: while (list.Next(out kind, out node)) …</summary>
public ref struct PeerList
{
    private ReadOnlySpan<byte> _rest;

    public PeerList(ReadOnlySpan<byte> text)
    {
        _rest = text;
        Malformed = false;
    }

    /// <summary>True after Next met something that is not "kind:node".</summary>
    public bool Malformed { get; private set; }

    /// <summary>The next pair; false at the end.</summary>
    public bool Next(out ComponentKind kind, out ushort node)
    {
        kind = ComponentKind.None;
        node = 0;
        if (_rest.Length == 0)
        {
            return false;
        }

        int colon = _rest.IndexOf((byte)':');
        if (colon >= 0)
        {
            kind = ComponentNames.Parse(_rest.Slice(0, colon));
            if (kind != ComponentKind.None && BootArguments.TryParse(_rest.Slice(colon + 1), out ulong number, out ReadOnlySpan<byte> rest)
                && number is > 0 and <= ushort.MaxValue && (rest.Length == 0 || rest[0] == (byte)','))
            {
                node = (ushort)number;
                _rest = rest.Length == 0 ? rest : rest.Slice(1);
                return true;
            }
        }

        Malformed = true;
        _rest = default;
        return false;
    }

    /// <summary>The node of the first component of a kind, or 0.</summary>
    public static ushort First(ReadOnlySpan<byte> text, ComponentKind wanted)
    {
        PeerList list = new(text);
        while (list.Next(out ComponentKind kind, out ushort node))
        {
            if (kind == wanted)
            {
                return node;
            }
        }

        return 0;
    }
}
