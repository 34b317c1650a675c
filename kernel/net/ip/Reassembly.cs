// Fragments become packets again (RFC 791, 3.2; RFC 8200, 4.5). A datagram with overlapping fragments is dropped whole, with those of
// its fragments that are still to come (RFC 5722, 4, for both versions); a fragment that comes twice is ignored. Datagrams under way are
// bounded in number and in bytes: a flood of fragments that never complete pushes out the oldest. Never blocks.

using System;

namespace Lego.Kernel;

/// <summary>One fragment, as its packet's header tells.</summary>
public ref struct IncomingFragment
{
    public IpAddress Source;
    public IpAddress Destination;
    public uint Identification;
    public byte Protocol;
    public int InterfaceIndex;
    public int OffsetBytes;
    public bool HasMore;
    public byte Ecn;
    /// <summary>The headers that go before the reassembled payload; those of the first fragment are used.</summary>
    public ReadOnlySpan<byte> Headers;
    public ReadOnlySpan<byte> Payload;
}

/// <summary>A datagram whose time is over before it was complete.</summary>
public unsafe struct ExpiredReassembly
{
    public int InterfaceIndex;
    public IpAddress Source;
    public IpAddress Destination;
    /// <summary>Its first fragment, headers included, which the caller releases; null if that never came: then nobody is told.</summary>
    public Packet* First;
}

/// <summary>The datagrams under way, and room for one whole packet.</summary>
public sealed unsafe class Reassembly
{
    /// <summary>Datagrams at a time.</summary>
    public const int MaxDatagrams = 64;

    /// <summary>Memory of all their fragments.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>What the length field of a packet can say (<see cref="CountedHeaderBytes"/>).</summary>
    private const int MaxPacketBytes = ushort.MaxValue;
    private const int MaxHeaderBytes = 512;
    private const ulong Ipv4TimeoutNs = 30 * NetworkClock.NsPerSecond;
    private const ulong Ipv6TimeoutNs = 60 * NetworkClock.NsPerSecond;
    private const byte CongestionExperienced = 3;

    private readonly NetworkClock _clock;
    private readonly NetworkCounters _counters;
    private readonly PacketStore _packets;
    private readonly Slab<Datagram> _slab;
    private readonly byte* _whole;
    private Datagram* _oldest;
    private Datagram* _newest;
    private int _bytes;

    private struct Datagram
    {
        internal Datagram* Next;
        internal IpAddress Source;
        internal IpAddress Destination;
        internal uint Identification;
        internal byte Protocol;
        internal byte Ecn;
        internal int InterfaceIndex;
        internal ulong DeadlineNs;
        /// <summary>By offset, without overlaps.</summary>
        internal Packet* Fragments;
        internal int HeaderBytes;
        /// <summary>Payload that has come.</summary>
        internal int ReceivedBytes;
        /// <summary>Payload that there is; 0 while the last fragment is missing.</summary>
        internal int TotalBytes;
        internal bool IsDoomed;
    }

    public Reassembly(FrameAllocator frames, NetworkClock clock, NetworkCounters counters, PacketStore packets)
    {
        _clock = clock;
        _counters = counters;
        _packets = packets;
        _slab = new Slab<Datagram>(frames, MaxDatagrams);
        const ulong pages = (MaxPacketBytes + MaxHeaderBytes + PageOperations.PageSize - 1) / PageOperations.PageSize;
        _whole = (byte*)frames.AllocateContiguous(pages);
        if (_whole == null)
        {
            Panic.Because("Reassembly: no memory for one packet at boot");
        }
    }

    /// <summary>Memory of all fragments that are kept.</summary>
    public int BytesInUse => _bytes;

    public ulong DatagramsInUse => _slab.InUse;

    /// <summary>When the oldest datagram's time is over.</summary>
    public ulong NextDeadlineNs
    {
        get
        {
            // Two time-outs and one order of coming: the oldest may not be the first to expire, but it is looked at no later than need be.
            ulong next = NetworkClock.Never;
            for (Datagram* datagram = _oldest; datagram != null; datagram = datagram->Next)
            {
                next = Math.Min(next, datagram->DeadlineNs);
            }

            return next;
        }
    }

    /// <summary>
    /// Takes a fragment. True: it was the last one missing, and the packet lies in <paramref name="packet"/> until the next call, with the
    /// headers of its first fragment as they were, <paramref name="headerBytes"/> of them, to be brought up to date by the caller.
    /// </summary>
    public bool TryComplete(scoped in IncomingFragment fragment, out Span<byte> packet, out int headerBytes, out byte ecn)
    {
        packet = default;
        headerBytes = 0;
        ecn = 0;
        ref IpCounters counters = ref _counters.Ip(fragment.Source.IsV4);
        counters.ReasmReqds++;
        Datagram* datagram = Find(fragment);
        datagram = datagram == null ? Begin(fragment) : datagram;
        if (datagram == null)
        {
            counters.ReasmFails++;
            return false;
        }

        if (datagram->IsDoomed)
        {
            return false;
        }

        if (!Insert(datagram, fragment, ref counters) || datagram->ReceivedBytes != datagram->TotalBytes)
        {
            return false;
        }

        headerBytes = datagram->HeaderBytes;
        ecn = datagram->Ecn;
        packet = Assemble(datagram);
        counters.ReasmOKs++;
        Remove(datagram);
        return true;
    }

    /// <summary>The next datagram whose time is over; its memory is free afterwards, but the first fragment's.</summary>
    public bool TryTakeExpired(out ExpiredReassembly expired)
    {
        expired = default;
        for (Datagram* datagram = _oldest; datagram != null; datagram = datagram->Next)
        {
            if (datagram->DeadlineNs > _clock.NowNs)
            {
                continue;
            }

            ref IpCounters counters = ref _counters.Ip(datagram->Source.IsV4);
            counters.ReasmTimeout++;
            counters.ReasmFails += datagram->IsDoomed ? 0UL : 1UL;
            expired.InterfaceIndex = datagram->InterfaceIndex;
            expired.Source = datagram->Source;
            expired.Destination = datagram->Destination;
            if (datagram->Fragments != null && datagram->Fragments->Offset == 0)
            {
                expired.First = datagram->Fragments;
                datagram->Fragments = expired.First->Next;
                _bytes -= expired.First->SizeBytes;
            }

            Remove(datagram);
            return true;
        }

        return false;
    }

    private Datagram* Find(scoped in IncomingFragment fragment)
    {
        for (Datagram* datagram = _oldest; datagram != null; datagram = datagram->Next)
        {
            if (datagram->Identification == fragment.Identification && datagram->Protocol == fragment.Protocol
                && datagram->Source.Equals(fragment.Source) && datagram->Destination.Equals(fragment.Destination))
            {
                return datagram;
            }
        }

        return null;
    }

    private Datagram* Begin(scoped in IncomingFragment fragment)
    {
        if (_slab.InUse >= MaxDatagrams)
        {
            GiveUpOldest(null);
        }

        Datagram* datagram = _slab.Allocate();
        if (datagram == null)
        {
            return null;
        }

        datagram->Source = fragment.Source;
        datagram->Destination = fragment.Destination;
        datagram->Identification = fragment.Identification;
        datagram->Protocol = fragment.Protocol;
        datagram->InterfaceIndex = fragment.InterfaceIndex;
        datagram->DeadlineNs = _clock.NowNs + (fragment.Source.IsV4 ? Ipv4TimeoutNs : Ipv6TimeoutNs);
        if (_newest == null)
        {
            _oldest = datagram;
        }
        else
        {
            _newest->Next = datagram;
        }

        _newest = datagram;
        return datagram;
    }

    /// <summary>Puts a fragment in its place. False: it adds nothing, or it has ended the datagram.</summary>
    private bool Insert(Datagram* datagram, scoped in IncomingFragment fragment, ref IpCounters counters)
    {
        int start = fragment.OffsetBytes;
        int end = start + fragment.Payload.Length;
        bool contradictsEnd = datagram->TotalBytes != 0
            && (end > datagram->TotalBytes || (!fragment.HasMore && end != datagram->TotalBytes));
        Packet* before = null;
        Packet* after = datagram->Fragments;
        while (after != null && after->Offset < start)
        {
            before = after;
            after = after->Next;
        }

        if (after != null && after->Offset == start && PayloadBytes(datagram, after) == fragment.Payload.Length && !contradictsEnd)
        {
            return false;
        }

        bool overlaps = (before != null && before->Offset + PayloadBytes(datagram, before) > start)
            || (after != null && after->Offset < end);
        bool isBehindEnd = !fragment.HasMore && after != null;
        int headerBytes = Math.Max(fragment.Headers.Length, datagram->HeaderBytes);
        bool isTooLong = CountedHeaderBytes(fragment.Source.IsV4, headerBytes) + Math.Max(end, datagram->TotalBytes) > MaxPacketBytes;
        if (contradictsEnd || overlaps || isBehindEnd || isTooLong)
        {
            counters.ReasmOverlaps++;
            counters.ReasmFails++;
            Doom(datagram);
            return false;
        }

        Packet* packet = Keep(datagram, fragment);
        if (packet == null)
        {
            counters.ReasmFails++;
            Doom(datagram);
            return false;
        }

        packet->Next = after;
        if (before == null)
        {
            datagram->Fragments = packet;
        }
        else
        {
            before->Next = packet;
        }

        datagram->ReceivedBytes += fragment.Payload.Length;
        datagram->TotalBytes = fragment.HasMore ? datagram->TotalBytes : end;
        bool counts = fragment.Ecn == CongestionExperienced || (start == 0 && datagram->Ecn != CongestionExperienced);
        datagram->Ecn = counts ? fragment.Ecn : datagram->Ecn;
        return true;
    }

    private Packet* Keep(Datagram* datagram, scoped in IncomingFragment fragment)
    {
        int needed = sizeof(Packet) + fragment.Headers.Length + fragment.Payload.Length;
        while (_bytes + needed > MaxBytes && GiveUpOldest(datagram))
        {
        }

        if (_bytes + needed > MaxBytes || fragment.Headers.Length > MaxHeaderBytes)
        {
            return null;
        }

        bool isFirst = fragment.OffsetBytes == 0;
        Packet* packet = _packets.Copy(isFirst ? fragment.Headers : default, fragment.Payload);
        if (packet != null)
        {
            packet->Offset = fragment.OffsetBytes;
            _bytes += packet->SizeBytes;
            datagram->HeaderBytes = isFirst ? fragment.Headers.Length : datagram->HeaderBytes;
        }

        return packet;
    }

    /// <summary>Frees the oldest datagram but one; false when there is no other.</summary>
    private bool GiveUpOldest(Datagram* spared)
    {
        Datagram* oldest = _oldest == spared && _oldest != null ? _oldest->Next : _oldest;
        if (oldest == null)
        {
            return false;
        }

        _counters.Ip(oldest->Source.IsV4).ReasmFails++;
        Remove(oldest);
        return true;
    }

    /// <summary>The entry stays until its time is over and swallows what still comes.</summary>
    private void Doom(Datagram* datagram)
    {
        datagram->IsDoomed = true;
        ReleaseFragments(datagram);
    }

    private Span<byte> Assemble(Datagram* datagram)
    {
        int length = 0;
        Span<byte> whole = new(_whole, MaxPacketBytes + MaxHeaderBytes);
        for (Packet* fragment = datagram->Fragments; fragment != null; fragment = fragment->Next)
        {
            length += fragment->CopyTo(0, whole.Slice(length));
        }

        return whole.Slice(0, length);
    }

    private void Remove(Datagram* datagram)
    {
        ReleaseFragments(datagram);
        Datagram* before = null;
        for (Datagram* at = _oldest; at != datagram; at = at->Next)
        {
            before = at;
        }

        if (before == null)
        {
            _oldest = datagram->Next;
        }
        else
        {
            before->Next = datagram->Next;
        }

        _newest = _newest == datagram ? before : _newest;
        _slab.Free(datagram);
    }

    private void ReleaseFragments(Datagram* datagram)
    {
        while (datagram->Fragments != null)
        {
            Packet* fragment = datagram->Fragments;
            datagram->Fragments = fragment->Next;
            _bytes -= fragment->SizeBytes;
            _packets.Release(fragment);
        }
    }

    /// <summary>
    /// The headers as far as the whole packet's length field counts them: IPv4's counts all, IPv6's what follows the fixed header, and the
    /// fragment header goes (RFC 8200, 3 and 4.5).
    /// </summary>
    private static int CountedHeaderBytes(bool isV4, int headerBytes) =>
        isV4 ? headerBytes : headerBytes - Ipv6Header.SizeBytes - Ipv6FragmentHeader.SizeBytes;

    private static int PayloadBytes(Datagram* datagram, Packet* fragment) =>
        fragment->Length - (fragment->Offset == 0 ? datagram->HeaderBytes : 0);
}
