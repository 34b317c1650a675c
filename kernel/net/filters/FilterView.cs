// What a filter reads: bytes in up to three pieces, as frames are sent, in the network's order of bytes or in the host's, and what is known
// of a packet besides (SKF_AD_*, SKF_NET_OFF and SKF_LL_OFF of linux/filter.h).

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A packet, or a struct seccomp_data.</summary>
public ref struct FilterView
{
    private const int NetworkBase = -0x100000;
    private const int LinkBase = -0x200000;
    /// <summary>SKF_AD_OFF: what is known of a packet besides its bytes.</summary>
    private const int KnowledgeBase = -0x1000;

    /// <summary>The pieces, one behind the other.</summary>
    public ReadOnlySpan<byte> Head;
    public ReadOnlySpan<byte> A;
    public ReadOnlySpan<byte> B;
    /// <summary>Where in the pieces offset 0 is: the header that the socket's protocol begins with.</summary>
    public int Start;
    /// <summary>Where the IP header and the link's header are; -1: they are not there.</summary>
    public int NetworkStart;
    public int LinkStart;
    /// <summary>Words are the host's, not the network's.</summary>
    public bool IsHostOrder;
    /// <summary>SKF_AD_PROTOCOL, _PKTTYPE, _IFINDEX and _HATYPE.</summary>
    public ushort EtherType;
    public LinkPacketType LinkType;
    public int InterfaceIndex;
    public ushort HardwareType;

    /// <summary>SKF_AD_*, behind SKF_AD_OFF.</summary>
    private enum Knowledge
    {
        Protocol = 0,
        PacketType = 4,
        InterfaceIndex = 8,
        /// <summary>SKF_AD_ALU_XOR_X, which loads nothing.</summary>
        ExclusiveOr = 40,
        HardwareType = 28,
        /// <summary>The last one there is.</summary>
        Last = 60,
    }

    /// <summary>A packet's bytes from offset 0 on, with nothing before them.</summary>
    public static FilterView Of(ReadOnlySpan<byte> bytes) => new() { Head = bytes, NetworkStart = -1, LinkStart = -1 };

    /// <summary>Bytes from offset 0 on.</summary>
    public readonly int Length => Head.Length + A.Length + B.Length - Start;

    /// <summary>Whether a program may load at a fixed offset: those that are negative name something, if they are not too great.</summary>
    internal static bool IsOffset(uint operand) => (int)operand < KnowledgeBase || (int)operand >= 0 || IsKnowledge(operand);

    /// <summary>Whether a load does not load: SKF_AD_ALU_XOR_X.</summary>
    internal static bool IsExclusiveOr(uint operand) => (int)operand == KnowledgeBase + (int)Knowledge.ExclusiveOr;

    /// <summary>Loads what is at a fixed offset. False: it is not there.</summary>
    internal readonly bool TryLoad(uint operand, int size, out uint value)
    {
        if (!IsKnowledge(operand))
        {
            return TryLoadAt((int)operand, size, out value);
        }

        // Queues, VLANs, hashes, marks and processors: there are none, or the first one.
        value = (Knowledge)((int)operand - KnowledgeBase) switch
        {
            Knowledge.Protocol => EtherType,
            Knowledge.PacketType => (uint)LinkType,
            Knowledge.InterfaceIndex => (uint)InterfaceIndex,
            Knowledge.HardwareType => HardwareType,
            _ => 0,
        };
        return true;
    }

    /// <summary>Loads one, two or four bytes. False: they are not there.</summary>
    internal readonly bool TryLoadAt(int offset, int size, out uint value)
    {
        value = 0;
        int origin = offset >= 0 ? Start : offset >= NetworkBase ? NetworkStart : LinkStart;
        long from = origin + (long)offset - (offset >= 0 ? 0 : offset >= NetworkBase ? NetworkBase : LinkBase);
        if (origin < 0 || offset < LinkBase || from + size > Start + Length)
        {
            return false;
        }

        int at = (int)from;
        if (at + size <= Head.Length)
        {
            ReadOnlySpan<byte> bytes = Head.Slice(at);
            value = size == 1 ? bytes[0]
                : size == sizeof(ushort) ? BinaryPrimitives.ReadUInt16BigEndian(bytes)
                : IsHostOrder ? BinaryPrimitives.ReadUInt32LittleEndian(bytes)
                : BinaryPrimitives.ReadUInt32BigEndian(bytes);
            return true;
        }

        for (int index = at; index < at + size; index++)
        {
            value = (value << 8) | ByteAt(index);
        }

        return true;
    }

    private static bool IsKnowledge(uint operand)
    {
        int known = (int)operand - KnowledgeBase;
        return (int)operand < 0 && known is >= 0 and <= (int)Knowledge.Last && known % sizeof(uint) == 0;
    }

    private readonly byte ByteAt(int index)
    {
        int inA = index - Head.Length;
        int inB = inA - A.Length;
        return inA < 0 ? Head[index] : inB < 0 ? A[inA] : B[inB];
    }
}
