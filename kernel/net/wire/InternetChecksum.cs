// The checksum of IPv4, ICMP, UDP and TCP (RFC 1071): the one's complement of the one's complement sum of 16-bit words. The sum is kept in
// a wide word in memory order and folded once at the end, because one's complement addition does not mind the byte order (RFC 1071, 2(B)).

using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>A sum over any number of pieces of any length. Zero-initialised = nothing summed yet.</summary>
public unsafe struct InternetChecksum
{
    private const int StepBytes = 32;

    private ulong _sum;
    private bool _isOdd;

    /// <summary>The checksum field's value, to be written big-endian. The field counts as 0 in the sum.</summary>
    public readonly ushort Value => (ushort)~BinaryPrimitives.ReverseEndianness(Folded);

    /// <summary>True when what was summed, with its checksum field and pseudo-header, is intact.</summary>
    public readonly bool IsIntact => Folded == 0xFFFF;

    /// <summary>
    /// The sum, not complemented, to be written big-endian: what a card that completes a checksum finds in the field when only the
    /// pseudo-header was summed (virtio 1.2, 5.1.6.2).
    /// </summary>
    public readonly ushort PartialValue => BinaryPrimitives.ReverseEndianness(Folded);

    private readonly ushort Folded
    {
        get
        {
            ulong sum = (_sum & 0xFFFFFFFF) + (_sum >> 32);
            sum = (sum & 0xFFFF) + (sum >> 16);
            sum = (sum & 0xFFFF) + (sum >> 16);
            return (ushort)((sum & 0xFFFF) + (sum >> 16));
        }
    }

    /// <summary>Adds the next bytes.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        ulong sum = SumOf(bytes);
        if (_isOdd)
        {
            // The words of this piece straddle those of the whole: the bytes change places (RFC 1071, 2(B)).
            sum = Fold32(sum);
            sum = (sum & 0xFFFF) + (sum >> 16);
            sum = (sum & 0xFFFF) + (sum >> 16);
            sum = BinaryPrimitives.ReverseEndianness((ushort)sum);
        }

        AddWord(sum);
        _isOdd ^= (bytes.Length & 1) != 0;
    }

    /// <summary>
    /// Adds the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293, 3.1; RFC 8200, 8.1). The mapped form of IPv4 addresses is not summed, and
    /// the two versions' headers sum up alike.
    /// </summary>
    public void AddPseudoHeader(IpAddress source, IpAddress destination, byte protocol, int lengthBytes)
    {
        if (source.IsV4)
        {
            AddWord((source.SecondWord >> 32) + (destination.SecondWord >> 32));
        }
        else
        {
            AddWord(source.FirstWord);
            AddWord(source.SecondWord);
            AddWord(destination.FirstWord);
            AddWord(destination.SecondWord);
        }

        AddWord(BinaryPrimitives.ReverseEndianness((uint)lengthBytes) + ((ulong)protocol << 8));
    }

    /// <summary>The checksum field after one 16-bit word of what it covers has changed (RFC 1624, equation 3).</summary>
    public static ushort Update(ushort checksum, ushort oldWord, ushort newWord)
    {
        uint sum = (uint)(ushort)~checksum + (ushort)~oldWord + newWord;
        sum = (sum & 0xFFFF) + (sum >> 16);
        return (ushort)~(sum + (sum >> 16));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void AddWord(ulong word)
    {
        _sum += word;
        _sum += _sum < word ? 1UL : 0UL;
    }

    /// <summary>Halves of words are added without looking for carries: 2^32 of them fit.</summary>
    private static ulong SumOf(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            byte* at = start;
            byte* end = start + bytes.Length;
            ulong low = 0;
            ulong high = 0;
            for (; end - at >= StepBytes; at += StepBytes)
            {
                ulong first = *(ulong*)at;
                ulong second = *(ulong*)(at + 8);
                ulong third = *(ulong*)(at + 16);
                ulong fourth = *(ulong*)(at + 24);
                low += (ulong)(uint)first + (uint)second + (uint)third + (uint)fourth;
                high += (first >> 32) + (second >> 32) + (third >> 32) + (fourth >> 32);
            }

            for (; end - at >= sizeof(uint); at += sizeof(uint))
            {
                low += *(uint*)at;
            }

            if (end - at >= sizeof(ushort))
            {
                low += *(ushort*)at;
                at += sizeof(ushort);
            }

            if (at < end)
            {
                low += *at;
            }

            return low + high;
        }
    }

    private static ulong Fold32(ulong sum)
    {
        sum = (sum & 0xFFFFFFFF) + (sum >> 32);
        return (sum & 0xFFFFFFFF) + (sum >> 32);
    }
}
