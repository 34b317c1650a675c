// The ring link: frames through memory that exactly two components share (ivshmem between machines, ordinary memory in solo). Sending is
// one copy into the ring, receiving lends the frame where it lies. The common poll reads one word, the producer's.
//
// A receiver that halts sets its sleeping word; a sender that finds it set clears it and rings the doorbell. That is a store followed by a
// load on both sides and wants full fences. Emulated machines with one CPU emit none (QEMU tcg_gen_mb without CF_PARALLEL), so
// the window of a store buffer stays open; Rekick closes it: whoever is about to sleep looks at its outgoing ring once more.
//
// The peer may write anything anywhere at any time. Positions and lengths are read once, checked against this side's own copies, and a
// peer that breaks the rules gets its link failed, nothing worse.

using System;
using System.Threading;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>One end of a shared region.</summary>
public sealed unsafe class RingLink : Link
{
    private const int LongestFrameBytes = MessageHeader.SizeBytes + MessageHeader.MaxBodyBytes;

    private readonly byte* _sendRing;
    private readonly byte* _receiveRing;
    private readonly ulong _capacity;
    private readonly int _windowBytes;
    private readonly ushort _peer;
    private readonly LinkTraits _traits;
    private readonly Doorbell? _doorbell;

    // Sending: where the next record goes, bytes from there to the end of the area, and bytes known to be free.
    private byte* _sendCursor;
    private ulong _sendTail;
    private ulong _sendRoom;
    private ulong _sendPosition;
    private ulong _reservedBytes;

    // Receiving: where the next record lies, bytes from there to the end of the area, and bytes known to be there.
    // _arrivalSeen is the position.
    private byte* _receiveCursor;
    private ulong _receiveTail;
    private ulong _receivable;
    private ulong _lentBytes;

    private bool _failed;
    private bool _doorbellArmed;
    private ulong _doorbells;
    private ulong _full;

    private RingLink(byte* sendRing, byte* receiveRing, ulong ringBytes, ushort peer, Doorbell? doorbell, LinkTraits traits)
    {
        _sendRing = sendRing;
        _receiveRing = receiveRing;
        _capacity = Aligned(Math.Min(ringBytes - RingLayout.DataOffset, RingLayout.MaxDataBytes));
        // This side's requests and its replies to the other side's requests share a ring, half each; a wrap wastes up to one frame.
        _windowBytes = (int)(_capacity - (ulong)MaxFrameBytes) / 2;
        _peer = peer;
        _doorbell = doorbell;
        _traits = traits;
        _sendPosition = Aligned(Volatile.Read(ref *(ulong*)(_sendRing + RingLayout.ProducerOffset)));
        _sendTail = _capacity - (_sendPosition % _capacity);
        _sendCursor = _sendRing + RingLayout.DataOffset + (_capacity - _sendTail);
        // The position up to which frames were taken is the producer's position while nothing has arrived.
        _arrivalSeen = Aligned(Volatile.Read(ref *(ulong*)(_receiveRing + RingLayout.ConsumerOffset)));
        _arrivalWord = (ulong*)(_receiveRing + RingLayout.ProducerOffset);
        _receiveTail = _capacity - (_arrivalSeen % _capacity);
        _receiveCursor = _receiveRing + RingLayout.DataOffset + (_capacity - _receiveTail);
    }

    /// <summary>The node at the other end.</summary>
    public ushort Peer => _peer;

    /// <inheritdoc/>
    public override int MaxFrameBytes => LongestFrameBytes;

    /// <inheritdoc/>
    public override int WindowBytes => _windowBytes;

    /// <inheritdoc/>
    public override LinkTraits Traits => _traits;

    /// <inheritdoc/>
    public override bool Failed => _failed;

    /// <summary>
    /// Opens this node's end of a region; boot time. EINVAL: the header is not one, ENXIO: the region is not this node's.
    /// </summary>
    public static Errno Open(SharedRegion region, ushort node, Doorbell? doorbell, LinkTraits extraTraits, out RingLink? link)
    {
        link = null;
        Errno error = RingRegionHeader.TryRead(region, out RingRegionHeader header);
        if (error != Errno.None || header.RingBytes < RingLayout.MinRingBytes)
        {
            return Errno.EINVAL;
        }

        if (node != header.NodeLow && node != header.NodeHigh)
        {
            return Errno.ENXIO;
        }

        byte* ringA = (byte*)region.Base + header.RingAOffset;
        byte* ringB = (byte*)region.Base + header.RingBOffset;
        bool low = node == header.NodeLow;
        LinkTraits traits = LinkTraits.Reliable | LinkTraits.ChecksumFree | extraTraits;
        link = new RingLink(low ? ringA : ringB, low ? ringB : ringA, header.RingBytes, low ? header.NodeHigh : header.NodeLow, doorbell,
            traits);
        return Errno.None;
    }

    /// <summary>Writes a region's header: two rings that share what one page of header leaves.</summary>
    public static void Format(SharedRegion region, ushort lowNode, ushort highNode)
    {
        ulong ringBytes = ((region.LengthBytes - PageOperations.PageSize) / 2) & ~(ulong)(PageOperations.PageSize - 1);
        RingRegionHeader header = default;
        header.Magic = RingRegionHeader.ExpectedMagic;
        header.Version = RingRegionHeader.ExpectedVersion;
        header.NodeLow = lowNode;
        header.NodeHigh = highNode;
        header.RingAOffset = PageOperations.PageSize;
        header.RingBOffset = PageOperations.PageSize + ringBytes;
        header.RingBytes = ringBytes;
        *(RingRegionHeader*)region.Base = header;
    }

    /// <inheritdoc/>
    public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        byte* to = Reserve(MessageHeader.SizeBytes + a.Length + b.Length);
        if (to == null)
        {
            return false;
        }

        fixed (byte* headerBytes = header, aBytes = a, bBytes = b)
        {
            FrameCopy.Header(to, headerBytes);
            FrameCopy.Bytes(to + MessageHeader.SizeBytes, aBytes, a.Length);
            FrameCopy.Bytes(to + MessageHeader.SizeBytes + a.Length, bBytes, b.Length);
        }

        Publish();
        return true;
    }

    /// <summary>Room for a frame, to be written in place and then published; null: no room now.</summary>
    internal byte* Reserve(int frameBytes)
    {
        ulong record = RecordBytes((ulong)frameBytes);
        if ((record > _sendTail || record > _sendRoom) && !MakeRoom(record))
        {
            return null;
        }

        _reservedBytes = record;
        byte* to = _sendCursor;
        *(ulong*)to = (uint)frameBytes;
        return to + RingLayout.RecordHeaderBytes;
    }

    /// <summary>Lets the receiver see the reserved frame.</summary>
    internal void Publish()
    {
        ulong record = _reservedBytes;
        _sendCursor += record;
        _sendTail -= record;
        _sendRoom -= record;
        ulong position = _sendPosition + record;
        _sendPosition = position;
        Volatile.Write(ref *(ulong*)(_sendRing + RingLayout.ProducerOffset), position);
        Interlocked.MemoryBarrier();
        if (*(uint*)(_sendRing + RingLayout.SleepingOffset) != 0)
        {
            WakePeer();
        }
    }

    /// <inheritdoc/>
    public override bool TryReceive(out ReadOnlySpan<byte> frame)
    {
        if (_receivable == 0 && !LookForFrames())
        {
            frame = default;
            return false;
        }

        byte* record = _receiveCursor;
        uint frameBytes = Volatile.Read(ref *(uint*)record);
        ulong recordBytes = RecordBytes(frameBytes);
        if (frameBytes > (uint)LongestFrameBytes || recordBytes > _receivable || recordBytes > _receiveTail)
        {
            return LendAfterWrap(frameBytes, out frame);
        }

        _lentBytes = recordBytes;
        frame = new ReadOnlySpan<byte>(record + RingLayout.RecordHeaderBytes, (int)frameBytes);
        return true;
    }

    /// <inheritdoc/>
    public override void Release()
    {
        ulong record = _lentBytes;
        _lentBytes = 0;
        _receivable -= record;
        _receiveTail -= record;
        _receiveCursor += record;
        if (_receiveTail == 0)
        {
            _receiveTail = _capacity;
            _receiveCursor -= _capacity;
        }

        ulong position = _arrivalSeen + record;
        _arrivalSeen = position;
        Volatile.Write(ref *(ulong*)(_receiveRing + RingLayout.ConsumerOffset), position);
    }

    /// <inheritdoc/>
    public override void ArmWakeup()
    {
        Volatile.Write(ref *(uint*)(_receiveRing + RingLayout.SleepingOffset), 1);
        if (_doorbell is not null && !_doorbellArmed)
        {
            // Stays armed: a peer rings only while the word says that this side sleeps.
            _doorbellArmed = true;
            _doorbell.Arm();
        }

        Interlocked.MemoryBarrier();
        Rekick();
    }

    /// <inheritdoc/>
    public override void DisarmWakeup() => Volatile.Write(ref *(uint*)(_receiveRing + RingLayout.SleepingOffset), 0);

    /// <inheritdoc/>
    public override void AddTo(ref LinkCounters totals)
    {
        totals.Doorbells += _doorbells;
        totals.Full += _full;
    }

    private static ulong Aligned(ulong position) => position & ~(ulong)(RingLayout.RecordAlignment - 1);

    private static ulong RecordBytes(ulong frameBytes) =>
        (frameBytes + RingLayout.RecordHeaderBytes + RingLayout.RecordAlignment - 1) & ~(ulong)(RingLayout.RecordAlignment - 1);

    /// <summary>A frame that the peer has not consumed although it sleeps was sent while the fences were missing: ring again.</summary>
    private void Rekick()
    {
        if (*(uint*)(_sendRing + RingLayout.SleepingOffset) != 0
            && Volatile.Read(ref *(ulong*)(_sendRing + RingLayout.ConsumerOffset)) != _sendPosition)
        {
            WakePeer();
        }
    }

    private void WakePeer()
    {
        Volatile.Write(ref *(uint*)(_sendRing + RingLayout.SleepingOffset), 0);
        if (_doorbell is not null)
        {
            _doorbells++;
            _doorbell.Ring();
        }
    }

    /// <summary>The rare half of Reserve: goes back to the area's beginning, and looks how far the receiver has come.</summary>
    private bool MakeRoom(ulong record)
    {
        ulong gap = record > _sendTail ? _sendTail : 0;
        if (gap + record > _sendRoom)
        {
            ulong used = _sendPosition - Volatile.Read(ref *(ulong*)(_sendRing + RingLayout.ConsumerOffset));
            if (_failed || used > _capacity)
            {
                _failed = true;
                return false;
            }

            _sendRoom = _capacity - used;
            if (gap + record > _sendRoom)
            {
                _full++;
                return false;
            }
        }

        if (record > _sendTail)
        {
            if (gap != 0)
            {
                *(uint*)_sendCursor = RingLayout.WrapMark;
            }

            _sendPosition += gap;
            _sendRoom -= gap;
            _sendTail = _capacity;
            _sendCursor = _sendRing + RingLayout.DataOffset;
        }

        return true;
    }

    private bool LookForFrames()
    {
        ulong there = Volatile.Read(ref *_arrivalWord) - _arrivalSeen;
        if (there == 0 || _failed)
        {
            return false;
        }

        if (there > _capacity || there % RingLayout.RecordAlignment != 0)
        {
            _failed = true;
            return false;
        }

        _receivable = there;
        return true;
    }

    /// <summary>The record is a mark that the rest of the area is unused, or nonsense.</summary>
    private bool LendAfterWrap(uint mark, out ReadOnlySpan<byte> frame)
    {
        // A frame must follow, and a mark at the beginning would never end.
        ulong gap = _receiveTail;
        if (mark != RingLayout.WrapMark || gap == _capacity || gap >= _receivable)
        {
            _failed = true;
            _receivable = 0;
            frame = default;
            return false;
        }

        _arrivalSeen += gap;
        _receivable -= gap;
        _receiveTail = _capacity;
        _receiveCursor -= _capacity - gap;
        return TryReceive(out frame);
    }
}
