// What the manager has said of a vNode, kept for a manager that begins anew.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;

namespace Lego.Storage;

/// <summary>A vNode's limits, name and root; less than a page.</summary>
public unsafe struct VNodeText
{
    public AdmitRequest Said;
    private Texts _texts;

    [InlineArray(AdmitRequest.MaxName + AdmitRequest.MaxRoot)]
    private struct Texts
    {
        private byte _first;
    }

    [UnscopedRef]
    public ReadOnlySpan<byte> Name => NameAndRoot.Slice(0, Said.NameLength);

    /// <summary>The path of its root directory.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Root => NameAndRoot.Slice(Said.NameLength, Said.RootLength);

    /// <summary>One after the other, as in messages.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> NameAndRoot => ((ReadOnlySpan<byte>)_texts).Slice(0, Said.NameLength + Said.RootLength);

    /// <summary>Takes what a request says.</summary>
    public void Set(in AdmitRequest said, ReadOnlySpan<byte> name, ReadOnlySpan<byte> root)
    {
        Said = said;
        name.CopyTo(_texts);
        root.CopyTo(((Span<byte>)_texts).Slice(name.Length));
    }
}
