// One vNode, as the manager knows it.

using System;
using Lego.Fabric.Messages;

namespace Lego.Manager.VNodes;

/// <summary>An entry of the table; made at boot, used again and again.</summary>
public sealed class VNode
{
    private readonly byte[] _name = new byte[AdmitRequest.MaxName];
    private readonly byte[] _root = new byte[AdmitRequest.MaxRoot];
    private int _nameLength;
    private int _rootLength;

    /// <summary>Its number in messages; 0 = the entry is free.</summary>
    public ushort Number { get; set; }

    /// <summary>Most processes at each p, 0 = no limit.</summary>
    public uint Processes { get; set; }

    /// <summary>Most memory, bytes, 0 = no limit.</summary>
    public ulong MemoryBytes { get; set; }

    public ReadOnlySpan<byte> Name => _name.AsSpan(0, _nameLength);

    /// <summary>The directory of the volume that its processes see as "/".</summary>
    public ReadOnlySpan<byte> Root => _root.AsSpan(0, _rootLength);

    /// <summary>Fills in what it is called and where it lives; both fit.</summary>
    public void Set(ReadOnlySpan<byte> name, ReadOnlySpan<byte> root)
    {
        name.CopyTo(_name);
        _nameLength = name.Length;
        root.CopyTo(_root);
        _rootLength = root.Length;
    }
}
