// The address that the boot line gives to the programs' card: address=10.0.2.15/24,10.0.2.2 is address, length of the prefix, router. The
// rack tool knows what QEMU's user network would answer, so nobody has to wait for DHCP.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>An IPv4 configuration.</summary>
public readonly struct AddressWord
{
    private const int MostPrefixBits = 32;
    private const int Octets = 4;
    private const uint MostOctet = 255;

    private AddressWord(uint address, int prefixBits, uint router)
    {
        Address = address;
        PrefixBits = prefixBits;
        Router = router;
    }

    /// <summary>Most significant octet first, as a number.</summary>
    public uint Address { get; }

    public int PrefixBits { get; }

    public uint Router { get; }

    /// <summary>Reads the word; false: it is none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out AddressWord word)
    {
        bool isWhole = TryTakeAddress(ref text, out uint address) & TryTake(ref text, (byte)'/')
            & TryTakeNumber(ref text, MostPrefixBits, out uint prefixBits) & TryTake(ref text, (byte)',')
            & TryTakeAddress(ref text, out uint router);
        word = new AddressWord(address, (int)prefixBits, router);
        return isWhole && text.IsEmpty;
    }

    private static bool TryTakeAddress(ref ReadOnlySpan<byte> text, out uint address)
    {
        address = 0;
        bool isWhole = true;
        for (int octet = 0; octet < Octets; octet++)
        {
            isWhole &= octet == 0 || TryTake(ref text, (byte)'.');
            isWhole &= TryTakeNumber(ref text, MostOctet, out uint value);
            address = (address << 8) | value;
        }

        return isWhole;
    }

    private static bool TryTakeNumber(ref ReadOnlySpan<byte> text, uint most, out uint value)
    {
        value = 0;
        int digits = 0;
        while (digits < text.Length && text[digits] is >= (byte)'0' and <= (byte)'9' && value <= most)
        {
            value = (value * 10) + (uint)(text[digits] - '0');
            digits++;
        }

        text = text.Slice(digits);
        return digits > 0 && value <= most;
    }

    private static bool TryTake(ref ReadOnlySpan<byte> text, byte wanted)
    {
        bool isThere = !text.IsEmpty && text[0] == wanted;
        text = isThere ? text.Slice(1) : text;
        return isThere;
    }
}
