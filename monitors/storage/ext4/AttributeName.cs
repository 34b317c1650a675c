// Names of extended attributes (xattr(7)): on the volume their prefixes are numbers.

using System;

namespace Lego.Storage.Ext4;

/// <summary>A name in two parts.</summary>
public readonly ref struct AttributeName
{
    public const byte User = 1;
    public const byte Trusted = 4;
    public const byte Security = 6;

    private AttributeName(byte index, ReadOnlySpan<byte> rest)
    {
        Index = index;
        Rest = rest;
    }

    /// <summary>The prefix; 0 = one that the volume does not keep for programs.</summary>
    public byte Index { get; }

    /// <summary>What follows it.</summary>
    public ReadOnlySpan<byte> Rest { get; }

    /// <summary>Takes a name apart.</summary>
    public static AttributeName Parse(ReadOnlySpan<byte> text)
    {
        foreach (byte index in (ReadOnlySpan<byte>)[User, Trusted, Security])
        {
            ReadOnlySpan<byte> prefix = PrefixOf(index);
            if (text.StartsWith(prefix))
            {
                return new AttributeName(index, text[prefix.Length..]);
            }
        }

        return default;
    }

    /// <summary>The prefix of a number; empty: programs are not told of such names.</summary>
    public static ReadOnlySpan<byte> PrefixOf(byte index)
    {
        return index switch
        {
            User => "user."u8,
            Trusted => "trusted."u8,
            Security => "security."u8,
            _ => default,
        };
    }

    /// <summary>True for the name of an entry.</summary>
    public unsafe bool IsThatOf(AttributeEntry* entry) => entry->NameIndex == Index && AttributeEntry.NameOf(entry).SequenceEqual(Rest);
}
