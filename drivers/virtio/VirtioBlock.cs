// Disk (virtio 1.2, 5.2). An operation takes a slot, sends its request and waits while other threads run; up to 16 are in flight. Buffers
// go to the device in place, as a scatter list of physically contiguous pieces, so no data is copied here; they must lie in frames of the
// frame allocator (not on a stack, not in static data), because only those have an address that the device understands. Read, Write and
// Flush BLOCK. The device is a PollSource: completions are found by polling, and by an interrupt while the machine sleeps.

using System;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>The disk's place among the pollers; an operation itself is a call of <see cref="VirtioBlock"/>.</summary>
public sealed class VirtioBlockCompletions(VirtioBlock disk) : PollSource
{
    public override bool Poll() => disk.TakeCompletions();

    public override void ArmWakeup() => disk.EnableInterrupt();

    public override void DisarmWakeup() => disk.DisableInterrupt();
}

/// <summary>A virtio disk.</summary>
public sealed unsafe class VirtioBlock : BlockDevice
{
    public const ushort DeviceType = 2;

    private const ulong FeatureSizeMax = 1UL << 1;
    private const ulong FeatureSegmentMax = 1UL << 2;
    private const ulong FeatureReadOnly = 1UL << 5;
    private const ulong FeatureFlush = 1UL << 9;
    private const int CapacityOffset = 0;
    private const int SizeMaxOffset = 8;
    private const int SegmentMaxOffset = 12;

    private const int Slots = 16;
    /// <summary>Data pieces in one request; with header and status 16 descriptors, so that all slots fit a queue of 256.</summary>
    private const int MaxSegments = 14;
    /// <summary>Largest request: a round number far above what one call of the storage monitor moves.</summary>
    private const uint MaxRequestBytes = 1 << 20;

    private readonly VirtioTransport _transport;
    private readonly VirtQueue _queue;
    private readonly FrameAllocator _frames;
    private readonly Slot* _slots;
    private readonly int _maxSegments;
    private readonly uint _maxSegmentBytes;
    private readonly bool _flushes;
    private bool _slotFree = true;
    private ulong _reads;
    private ulong _writes;
    private ulong _flushCount;
    private ulong _errors;

    private VirtioBlock(VirtioTransport transport, VirtQueue queue, FrameAllocator frames, Slot* slots, ulong agreed)
    {
        _transport = transport;
        _queue = queue;
        _frames = frames;
        _slots = slots;
        _flushes = (agreed & FeatureFlush) != 0;
        ReadOnly = (agreed & FeatureReadOnly) != 0;
        SectorCount = transport.Configuration64(CapacityOffset);
        uint segments = (agreed & FeatureSegmentMax) != 0 ? transport.Configuration32(SegmentMaxOffset) : 1;
        _maxSegments = (int)Math.Max(1, Math.Min(segments, Math.Min(MaxSegments, (uint)queue.Size - 2)));
        uint segmentBytes = (agreed & FeatureSizeMax) != 0 ? transport.Configuration32(SizeMaxOffset) : MaxRequestBytes;
        _maxSegmentBytes = Math.Max(SectorSize, Math.Min(segmentBytes, MaxRequestBytes)) & ~(uint)(SectorSize - 1);
    }

    private enum RequestType : uint { Read = 0, Write = 1, Flush = 4 }

    private enum RequestStatus : byte { Ok = 0, IoError = 1, Unsupported = 2, Pending = 0xFF }

    /// <summary>A request in flight, in memory that the device reads (the first 16 bytes, virtio_blk_req) and writes (Status).</summary>
    private struct Slot
    {
        internal RequestType Type;
        internal uint Reserved;
        internal ulong Sector;
        internal RequestStatus Status;
        internal bool Taken;
        /// <summary>Set by the poller when the device has finished.</summary>
        internal bool Done;
    }

    public override ulong SectorCount { get; }

    public override bool ReadOnly { get; }

    /// <summary>Sets the disk up and registers it with the poller; null when the device refuses or memory is short.</summary>
    public static VirtioBlock? Open(VirtioTransport transport, FrameAllocator frames)
    {
        ulong wanted = FeatureSizeMax | FeatureSegmentMax | FeatureReadOnly | FeatureFlush | VirtioFeatures.EventIndex;
        if (transport.Negotiate(wanted, out ulong agreed) != Errno.None)
        {
            return null;
        }

        VirtQueue? queue = transport.OpenQueue(0, VirtQueue.MaxSize, frames);
        Slot* slots = (Slot*)frames.AllocateCleared();
        if (queue == null || queue.Size <= 2 || slots == null)
        {
            return null;
        }

        VirtioBlock disk = new(transport, queue, frames, slots, agreed);
        transport.Start();
        Poller.Register(new VirtioBlockCompletions(disk));
        return disk;
    }

    public override Errno Read(ulong sector, void* buffer, uint lengthBytes)
    {
        _reads++;
        return Transfer(RequestType.Read, sector, (byte*)buffer, lengthBytes);
    }

    public override Errno Write(ulong sector, void* buffer, uint lengthBytes)
    {
        _writes++;
        return ReadOnly ? Errno.EROFS : Transfer(RequestType.Write, sector, (byte*)buffer, lengthBytes);
    }

    /// <summary>Without the flush feature the device writes through (5.2.6.2), and there is nothing to do.</summary>
    public override Errno Flush()
    {
        _flushCount++;
        return _flushes ? Execute(RequestType.Flush, 0, null, 0, out _) : Errno.None;
    }

    public override void Report(ref StatisticsWriter writer)
    {
        writer.Add("block.reads"u8, _reads);
        writer.Add("block.writes"u8, _writes);
        writer.Add("block.flushes"u8, _flushCount);
        writer.Add("block.errors"u8, _errors);
    }

    /// <summary>Marks finished requests and wakes their threads; true when there was one.</summary>
    internal bool TakeCompletions()
    {
        bool any = false;
        while (_queue.TryTake(out uint slot, out _))
        {
            _slots[slot].Done = true;
            any = true;
        }

        if (_queue.Broken)
        {
            any |= FailAll();
        }

        if (any)
        {
            Scheduler.Notify();
        }

        return any;
    }

    internal void EnableInterrupt() => _queue.EnableInterrupt();

    internal void DisableInterrupt() => _queue.DisableInterrupt();

    private Errno Transfer(RequestType type, ulong sector, byte* buffer, uint lengthBytes)
    {
        ulong sectors = lengthBytes / SectorSize;
        if (lengthBytes % SectorSize != 0 || sector > SectorCount || sectors > SectorCount - sector)
        {
            return Errno.EINVAL;
        }

        if (lengthBytes != 0 && !(_frames.Contains(buffer) && _frames.Contains(buffer + lengthBytes - 1)))
        {
            Panic.Because("VirtioBlock.Transfer: the buffer is not in frames");
        }

        while (lengthBytes != 0)
        {
            Errno error = Execute(type, sector, buffer, lengthBytes, out uint movedBytes);
            if (error != Errno.None)
            {
                return error;
            }

            buffer += movedBytes;
            lengthBytes -= movedBytes;
            sector += movedBytes / SectorSize;
        }

        return Errno.None;
    }

    /// <summary>One request: as much of the buffer as fits. BLOCKS until the device has answered.</summary>
    private Errno Execute(RequestType type, ulong sector, byte* buffer, uint lengthBytes, out uint movedBytes)
    {
        Span<QueueBuffer> pieces = stackalloc QueueBuffer[MaxSegments + 2];
        BufferAccess access = type == RequestType.Read ? BufferAccess.DeviceWrites : BufferAccess.DeviceReads;
        int segments = Gather(buffer, lengthBytes, access, pieces.Slice(1, _maxSegments), out movedBytes);
        Slot* slot = TakeSlot();
        slot->Type = type;
        slot->Sector = sector;
        slot->Status = RequestStatus.Pending;
        slot->Done = false;
        ulong slotAddress = PhysicalAddress.Of(slot);
        ulong statusAddress = PhysicalAddress.Of(&slot->Status);
        pieces[0] = new QueueBuffer(slotAddress, sizeof(RequestType) + sizeof(uint) + sizeof(ulong), BufferAccess.DeviceReads);
        pieces[segments + 1] = new QueueBuffer(statusAddress, sizeof(RequestStatus), BufferAccess.DeviceWrites);
        while (!_queue.TryAdd(pieces[..(segments + 2)], (uint)(slot - _slots)))
        {
            if (_queue.Broken)
            {
                ReleaseSlot(slot);
                _errors++;
                return Errno.EIO;
            }
            // A queue smaller than all slots together: descriptors come back with completions.
            Scheduler.Yield();
        }

        _queue.Publish();
        Scheduler.WaitUntil(ref slot->Done, ulong.MaxValue);
        RequestStatus status = slot->Status;
        ReleaseSlot(slot);
        if (status == RequestStatus.Ok)
        {
            return Errno.None;
        }

        _errors++;
        return status == RequestStatus.Unsupported ? Errno.EOPNOTSUPP : Errno.EIO;
    }

    /// <summary>
    /// Cuts a prefix of the buffer into physically contiguous pieces, page by page, joining neighbours. A prefix that is not the whole is a
    /// multiple of the sector size.
    /// </summary>
    private int Gather(byte* buffer, uint lengthBytes, BufferAccess access, Span<QueueBuffer> pieces, out uint gatheredBytes)
    {
        int count = 0;
        gatheredBytes = 0;
        while (lengthBytes - gatheredBytes != 0 && gatheredBytes < MaxRequestBytes)
        {
            byte* from = buffer + gatheredBytes;
            uint inPage = PageOperations.PageSize - (uint)((ulong)from % PageOperations.PageSize);
            uint pieceBytes = Math.Min(Math.Min(inPage, lengthBytes - gatheredBytes), _maxSegmentBytes);
            ulong address = PhysicalAddress.Of(from);
            bool joins = count > 0 && pieces[count - 1].Address + pieces[count - 1].LengthBytes == address
                && pieces[count - 1].LengthBytes + pieceBytes <= _maxSegmentBytes;
            if (joins)
            {
                pieces[count - 1] = new QueueBuffer(pieces[count - 1].Address, pieces[count - 1].LengthBytes + pieceBytes, access);
            }
            else if (count < pieces.Length)
            {
                pieces[count++] = new QueueBuffer(address, pieceBytes, access);
            }
            else
            {
                break;
            }

            gatheredBytes += pieceBytes;
        }
        // A buffer that straddles pages at odd offsets may end within a sector; that sector goes with the next request.
        uint excess = gatheredBytes == lengthBytes ? 0 : gatheredBytes % SectorSize;
        gatheredBytes -= excess;
        while (excess != 0)
        {
            QueueBuffer last = pieces[count - 1];
            uint cut = Math.Min(excess, last.LengthBytes);
            excess -= cut;
            pieces[count - 1] = new QueueBuffer(last.Address, last.LengthBytes - cut, access);
            count -= cut == last.LengthBytes ? 1 : 0;
        }

        return count;
    }

    /// <summary>BLOCKS until a slot is free. The flag is cleared only when none is, so a release after that is always seen.</summary>
    private Slot* TakeSlot()
    {
        while (true)
        {
            for (int index = 0; index < Slots; index++)
            {
                if (!_slots[index].Taken)
                {
                    _slots[index].Taken = true;
                    return _slots + index;
                }
            }

            _slotFree = false;
            Scheduler.WaitUntil(ref _slotFree, ulong.MaxValue);
        }
    }

    private void ReleaseSlot(Slot* slot)
    {
        slot->Taken = false;
        if (!_slotFree)
        {
            _slotFree = true;
            Scheduler.Notify();
        }
    }

    /// <summary>The device broke the ring's rules: stop it, and end everything in flight with EIO.</summary>
    private bool FailAll()
    {
        bool any = false;
        _transport.Reset();
        for (int index = 0; index < Slots; index++)
        {
            if (_slots[index].Taken && !_slots[index].Done)
            {
                _slots[index].Status = RequestStatus.IoError;
                _slots[index].Done = true;
                any = true;
            }
        }

        return any;
    }
}
