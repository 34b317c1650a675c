// A first-in, first-out list of packets.

namespace Lego.Kernel;

/// <summary>Packets in the order of their coming. Zero-initialised = empty. Owns one reference to each.</summary>
public unsafe struct PacketQueue
{
    private Packet* _first;
    private Packet* _last;

    public readonly Packet* First => _first;

    public readonly bool IsEmpty => _first == null;

    public int Count { get; private set; }

    /// <summary>Memory that its packets occupy.</summary>
    public int SizeBytes { get; private set; }

    public void Add(Packet* packet)
    {
        packet->Next = null;
        if (_last == null)
        {
            _first = packet;
        }
        else
        {
            _last->Next = packet;
        }

        _last = packet;
        Count++;
        SizeBytes += packet->SizeBytes;
    }

    /// <summary>Takes the oldest one out; null when there is none.</summary>
    public Packet* Take()
    {
        Packet* packet = _first;
        if (packet != null)
        {
            _first = packet->Next;
            if (_first == null)
            {
                _last = null;
            }

            packet->Next = null;
            Count--;
            SizeBytes -= packet->SizeBytes;
        }

        return packet;
    }

    /// <summary>Releases all.</summary>
    public void Clear(PacketStore store)
    {
        for (Packet* packet = Take(); packet != null; packet = Take())
        {
            store.Release(packet);
        }
    }
}
