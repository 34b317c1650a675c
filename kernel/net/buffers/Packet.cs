// Bytes from or for the wire that are kept for later: a datagram in a socket's queue, a packet that waits for its neighbour's address, a
// fragment, a frame on the loopback interface. Short ones lie in the object itself, long ones in a chain of page frames.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>Kept bytes and what is known about them. Made and freed by <see cref="PacketStore"/>.</summary>
public unsafe struct Packet
{
    internal const int InlineBytes = 256;

    /// <summary>The next one in whatever list it stands.</summary>
    internal Packet* Next;
    internal PacketPage* FirstPage;
    internal PacketPage* LastPage;
    /// <summary>Who looks at it; the last one's <see cref="PacketStore.Release"/> frees it.</summary>
    internal int References;

    /// <summary>Bytes kept.</summary>
    public int Length;
    public int InterfaceIndex;
    public SocketAddress Source;
    public SocketAddress Destination;
    public ulong ArrivalNs;

    /// <summary>TTL or hop limit (IP_RECVTTL, IPV6_RECVHOPLIMIT).</summary>
    public byte HopLimit;
    /// <summary>TOS or traffic class (IP_RECVTOS, IPV6_RECVTCLASS).</summary>
    public byte TrafficClass;
    public LinkPacketType LinkType;
    public ushort EtherType;
    public ulong LinkAddress;

    /// <summary>Of a message of the error queue (struct sock_extended_err).</summary>
    public Errno Error;
    public byte ErrorOrigin;
    public byte ErrorType;
    public byte ErrorCode;
    public uint ErrorInfo;
    /// <summary>Who reported the error (SO_EE_OFFENDER).</summary>
    public SocketAddress Offender;

    /// <summary>Of a fragment: where it belongs.</summary>
    internal int Offset;

    internal InlineData Data;

    [InlineArray(InlineBytes)]
    internal struct InlineData
    {
        private byte _first;
    }

    /// <summary>Bytes of memory that it occupies.</summary>
    internal int SizeBytes
    {
        get
        {
            int size = sizeof(Packet);
            for (PacketPage* page = FirstPage; page != null; page = page->Next)
            {
                size += PageOperations.PageSize;
            }

            return size;
        }
    }

    /// <summary>Copies bytes from an offset on; how many there were.</summary>
    [NoBlock]
    [NoAllocation]
    public int CopyTo(int offset, Span<byte> to)
    {
        int done = 0;
        while (done < to.Length && offset + done < Length)
        {
            ReadOnlySpan<byte> piece = PieceAt(offset + done);
            int take = Math.Min(piece.Length, to.Length - done);
            piece.Slice(0, take).CopyTo(to.Slice(done));
            done += take;
        }

        return done;
    }

    /// <summary>The bytes from the beginning on that lie in one piece, to be written to.</summary>
    internal Span<byte> FirstPiece
    {
        get
        {
            ReadOnlySpan<byte> piece = PieceAt(0);
            return MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(piece), piece.Length);
        }
    }

    /// <summary>The bytes that lie in one piece from an offset on; empty at the end.</summary>
    [NoBlock]
    [NoAllocation]
    public ReadOnlySpan<byte> PieceAt(int offset)
    {
        if (offset >= Length)
        {
            return default;
        }

        if (FirstPage == null)
        {
            fixed (InlineData* data = &Data)
            {
                return new ReadOnlySpan<byte>((byte*)data + offset, Length - offset);
            }
        }

        PacketPage* page = FirstPage;
        int skipped = 0;
        while (offset - skipped >= PacketPage.DataBytes)
        {
            skipped += PacketPage.DataBytes;
            page = page->Next;
        }

        int at = offset - skipped;
        return new ReadOnlySpan<byte>(PacketPage.DataOf(page) + at, Math.Min(PacketPage.DataBytes - at, Length - offset));
    }
}

/// <summary>A page frame of a packet.</summary>
internal unsafe struct PacketPage
{
    internal const int DataBytes = PageOperations.PageSize - 8;

    internal PacketPage* Next;

    internal static byte* DataOf(PacketPage* page) => (byte*)page + sizeof(PacketPage);
}

/// <summary>Whom a frame was for (packet(7), sll_pkttype).</summary>
public enum LinkPacketType : byte
{
    Host = 0,
    Broadcast = 1,
    Multicast = 2,
    OtherHost = 3,
    Outgoing = 4,
}
