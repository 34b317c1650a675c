// All kept packets of one stack: makes, fills and frees them, and bounds their memory. Never blocks; callers hold the kernel lock.

using System;

namespace Lego.Kernel;

/// <summary>The packets' memory.</summary>
public sealed unsafe class PacketStore
{
    private readonly FrameAllocator _frames;
    private readonly Slab<Packet> _packets;
    private readonly ulong _limitBytes;
    private ulong _pageBytes;

    /// <summary>At most <paramref name="limitBytes"/> for all of them together.</summary>
    public PacketStore(FrameAllocator frames, ulong limitBytes)
    {
        _frames = frames;
        _packets = new Slab<Packet>(frames);
        _limitBytes = limitBytes;
    }

    public ulong BytesInUse => _pageBytes + (_packets.InUse * (ulong)sizeof(Packet));

    /// <summary>An empty packet with one reference, or null when memory or the bound is exhausted.</summary>
    [NoBlock]
    [NoAllocation]
    public Packet* Allocate()
    {
        if (BytesInUse >= _limitBytes)
        {
            return null;
        }

        Packet* packet = _packets.Allocate();
        if (packet != null)
        {
            packet->References = 1;
        }

        return packet;
    }

    /// <summary>A packet with the bytes of three spans, or null.</summary>
    [NoBlock]
    [NoAllocation]
    public Packet* Copy(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b = default, ReadOnlySpan<byte> c = default)
    {
        Packet* packet = Allocate();
        if (packet == null)
        {
            return null;
        }

        bool isInline = a.Length + b.Length + c.Length <= Packet.InlineBytes;
        if (!(isInline || AddPage(packet)) || !(Append(packet, a) && Append(packet, b) && Append(packet, c)))
        {
            Release(packet);
            return null;
        }

        return packet;
    }

    /// <summary>One more who will release it.</summary>
    [NoBlock]
    [NoAllocation]
    public void AddReference(Packet* packet) => packet->References++;

    /// <summary>Gives it back; the last reference frees it.</summary>
    [NoBlock]
    [NoAllocation]
    public void Release(Packet* packet)
    {
        if (--packet->References > 0)
        {
            return;
        }

        PacketPage* page = packet->FirstPage;
        while (page != null)
        {
            PacketPage* next = page->Next;
            _frames.Free(page);
            _pageBytes -= PageOperations.PageSize;
            page = next;
        }

        _packets.Free(packet);
    }

    private bool Append(Packet* packet, ReadOnlySpan<byte> bytes)
    {
        if (packet->FirstPage == null)
        {
            bytes.CopyTo(new Span<byte>((byte*)&packet->Data + packet->Length, Packet.InlineBytes - packet->Length));
            packet->Length += bytes.Length;
            return true;
        }

        while (bytes.Length > 0)
        {
            int used = packet->Length % PacketPage.DataBytes;
            if (used == 0 && packet->Length > 0 && !AddPage(packet))
            {
                return false;
            }

            int take = Math.Min(bytes.Length, PacketPage.DataBytes - used);
            bytes.Slice(0, take).CopyTo(new Span<byte>(PacketPage.DataOf(packet->LastPage) + used, take));
            packet->Length += take;
            bytes = bytes.Slice(take);
        }

        return true;
    }

    private bool AddPage(Packet* packet)
    {
        if (BytesInUse + PageOperations.PageSize > _limitBytes)
        {
            return false;
        }

        PacketPage* page = (PacketPage*)_frames.Allocate();
        if (page == null)
        {
            return false;
        }

        _pageBytes += PageOperations.PageSize;
        page->Next = null;
        if (packet->LastPage == null)
        {
            packet->FirstPage = page;
        }
        else
        {
            packet->LastPage->Next = page;
        }

        packet->LastPage = page;
        return true;
    }
}
