// A split virtqueue (virtio 1.2, 2.7) over plain memory: descriptor table, available ring, used ring. The driver adds chains of buffers,
// the device uses them and gives them back. Works on any memory, so host tests run this code against a device written in C#. Everything
// in the used ring comes from the device and is checked against what the driver itself remembers in private memory: a chain that is not
// with the device, or more completions than there are chains, marks the queue as broken, and it gives and takes nothing any more. Never
// blocks, never allocates after construction. Callers hold the kernel lock.

using System;
using System.Threading;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Which side writes a buffer.</summary>
public enum BufferAccess : byte { DeviceReads, DeviceWrites }

/// <summary>One piece of a chain: physical address and length.</summary>
public readonly struct QueueBuffer(ulong address, uint lengthBytes, BufferAccess access)
{
    public readonly ulong Address = address;
    public readonly uint LengthBytes = lengthBytes;
    public readonly BufferAccess Access = access;
}

/// <summary>Driver side of one split virtqueue.</summary>
public sealed unsafe class VirtQueue
{
    /// <summary>Largest queue that this driver sets up; its three parts fit two pages.</summary>
    public const ushort MaxSize = 256;

    private const ushort DescriptorHasNext = 1;
    private const ushort DescriptorDeviceWrites = 2;
    private const ushort UsedNoNotify = 1;
    private const ushort AvailableNoInterrupt = 1;
    private const int RingHeaderBytes = 4;
    private const ushort None = ushort.MaxValue;
    private const uint NotWithDevice = uint.MaxValue;

    private readonly Descriptor* _descriptors;
    private readonly ushort* _availableFlags;
    private readonly ushort* _availableIndex;
    private readonly ushort* _availableRing;
    private readonly ushort* _usedEvent;
    private readonly ushort* _usedFlags;
    private readonly ushort* _usedIndex;
    private readonly UsedElement* _usedRing;
    private readonly ushort* _availableEvent;
    private readonly ushort* _doorbell;
    private readonly ushort _number;
    private readonly bool _eventIndex;

    // Private memory: what the device cannot change.
    private readonly ushort[] _next;
    private readonly uint[] _tokens;
    private readonly uint[] _writableBytes;
    private ushort _freeHead;
    private ushort _freeCount;
    private ushort _added;
    private ushort _published;
    private ushort _taken;
    private ushort _withDevice;

    /// <summary>
    /// Lays a queue of <paramref name="size"/> (a power of two, at most <see cref="MaxSize"/>) out in zeroed, page-aligned memory of
    /// <see cref="MemoryBytes"/>. A write of <paramref name="number"/> to <paramref name="doorbell"/> tells the device about new chains.
    /// <paramref name="eventIndex"/>: VIRTIO_F_EVENT_IDX has been negotiated.
    /// </summary>
    public VirtQueue(ushort number, ushort size, void* memory, ushort* doorbell, bool eventIndex)
    {
        _number = number;
        Size = size;
        _doorbell = doorbell;
        _eventIndex = eventIndex;
        byte* start = (byte*)memory;
        _descriptors = (Descriptor*)start;
        byte* available = start + AvailableOffset(size);
        _availableFlags = (ushort*)available;
        _availableIndex = _availableFlags + 1;
        _availableRing = _availableFlags + 2;
        _usedEvent = _availableRing + size;
        byte* used = start + UsedOffset(size);
        _usedFlags = (ushort*)used;
        _usedIndex = _usedFlags + 1;
        _usedRing = (UsedElement*)(used + RingHeaderBytes);
        _availableEvent = (ushort*)(_usedRing + size);

        _next = new ushort[size];
        _tokens = new uint[size];
        _writableBytes = new uint[size];
        for (ushort index = 0; index < size; index++)
        {
            _next[index] = index + 1 == size ? None : (ushort)(index + 1);
            _tokens[index] = NotWithDevice;
        }

        _freeCount = size;
        DisableInterrupt();
    }

    /// <summary>virtq_desc.</summary>
    private struct Descriptor
    {
        internal ulong Address;
        internal uint LengthBytes;
        internal ushort Flags;
        internal ushort Next;
    }

    /// <summary>virtq_used_elem.</summary>
    private struct UsedElement
    {
        internal uint Head;
        internal uint WrittenBytes;
    }

    /// <summary>Descriptors in the queue.</summary>
    public ushort Size { get; }

    /// <summary>Descriptors that a new chain can use.</summary>
    public int Free => _freeCount;

    /// <summary>Chains that the device has not given back.</summary>
    public int InFlight => _withDevice;

    /// <summary>The device broke the rules of the ring; it must be reset, and nothing more comes from this queue.</summary>
    public bool Broken { get; private set; }

    /// <summary>True when <see cref="TryTake"/> has something to look at.</summary>
    public bool HasUsed => !Broken && Volatile.Read(ref *_usedIndex) != _taken;

    public static ulong AvailableOffset(ushort size) => (ulong)size * (ulong)sizeof(Descriptor);

    /// <summary>The used ring starts 4-byte aligned behind the available ring and its trailing used_event.</summary>
    public static ulong UsedOffset(ushort size) => AvailableOffset(size) + ((RingHeaderBytes + ((ulong)size * 2) + 2 + 3) & ~3UL);

    /// <summary>Memory for a queue of this size.</summary>
    public static ulong MemoryBytes(ushort size) => UsedOffset(size) + RingHeaderBytes + ((ulong)size * (ulong)sizeof(UsedElement)) + 2;

    /// <summary>
    /// Adds one chain; buffers that the device reads come first. The device sees it after <see cref="Publish"/>. The token (not
    /// 0xFFFFFFFF) comes back from <see cref="TryTake"/>. False: too few free descriptors, or the queue is broken.
    /// </summary>
    public bool TryAdd(ReadOnlySpan<QueueBuffer> buffers, uint token)
    {
        if (Broken || buffers.Length == 0 || buffers.Length > _freeCount)
        {
            return false;
        }

        ushort head = _freeHead;
        ushort index = head;
        uint writableBytes = 0;
        for (int piece = 0; piece < buffers.Length; piece++)
        {
            ref readonly QueueBuffer buffer = ref buffers[piece];
            bool last = piece + 1 == buffers.Length;
            Descriptor* descriptor = _descriptors + index;
            descriptor->Address = buffer.Address;
            descriptor->LengthBytes = buffer.LengthBytes;
            descriptor->Flags = (ushort)(last ? 0 : DescriptorHasNext);
            descriptor->Next = last ? (ushort)0 : _next[index];
            if (buffer.Access == BufferAccess.DeviceWrites)
            {
                descriptor->Flags |= DescriptorDeviceWrites;
                writableBytes += buffer.LengthBytes;
            }

            ushort following = _next[index];
            if (last)
            {
                _next[index] = None;
                _freeHead = following;
            }

            index = following;
        }

        _freeCount -= (ushort)buffers.Length;
        _tokens[head] = token;
        _writableBytes[head] = writableBytes;
        _withDevice++;
        _availableRing[_added & (Size - 1)] = head;
        _added++;
        return true;
    }

    /// <summary>A chain of one buffer.</summary>
    public bool TryAdd(ulong address, uint lengthBytes, BufferAccess access, uint token)
    {
        QueueBuffer buffer = new(address, lengthBytes, access);
        return TryAdd(new ReadOnlySpan<QueueBuffer>(ref buffer), token);
    }

    /// <summary>Shows all added chains to the device, and wakes the device if it asked to be told (2.7.10).</summary>
    public void Publish()
    {
        if (_added == _published)
        {
            return;
        }

        ushort before = _published;
        Volatile.Write(ref *_availableIndex, _added);
        _published = _added;
        // The device sets its wish, then looks at the index; we set the index, then look at its wish. The order of the two needs a fence.
        Interlocked.MemoryBarrier();
        bool wanted = _eventIndex
            ? Crosses(Volatile.Read(ref *_availableEvent), before, _added)
            : (Volatile.Read(ref *_usedFlags) & UsedNoNotify) == 0;
        if (wanted)
        {
            Volatile.Write(ref *_doorbell, _number);
        }
    }

    /// <summary>Takes the oldest chain that the device has finished. The length is never more than the chain's writable bytes.</summary>
    public bool TryTake(out uint token, out uint writtenBytes)
    {
        token = 0;
        writtenBytes = 0;
        if (!HasUsed)
        {
            return false;
        }

        ushort pending = (ushort)(Volatile.Read(ref *_usedIndex) - _taken);
        UsedElement* element = _usedRing + (_taken & (Size - 1));
        uint head = Volatile.Read(ref element->Head);
        if (pending > _withDevice || head >= Size || _tokens[head] == NotWithDevice)
        {
            Broken = true;
            return false;
        }

        writtenBytes = Math.Min(Volatile.Read(ref element->WrittenBytes), _writableBytes[head]);
        token = _tokens[head];
        _tokens[head] = NotWithDevice;
        _withDevice--;
        _taken++;
        Reclaim((ushort)head);
        return true;
    }

    /// <summary>The device interrupts when it finishes the next chain. The caller polls once more afterwards.</summary>
    public void EnableInterrupt()
    {
        if (_eventIndex)
        {
            Volatile.Write(ref *_usedEvent, _taken);
        }
        else
        {
            Volatile.Write(ref *_availableFlags, (ushort)0);
        }

        Interlocked.MemoryBarrier();
    }

    /// <summary>The device need not interrupt; it may still do so now and then.</summary>
    public void DisableInterrupt()
    {
        if (_eventIndex)
        {
            // As far ahead as the 16-bit index allows.
            Volatile.Write(ref *_usedEvent, (ushort)(_taken - 1));
        }
        else
        {
            Volatile.Write(ref *_availableFlags, AvailableNoInterrupt);
        }
    }

    /// <summary>vring_need_event of 2.7.10.1: the index moved over the event.</summary>
    private static bool Crosses(ushort eventIndex, ushort before, ushort after) =>
        (ushort)(after - eventIndex - 1) < (ushort)(after - before);

    /// <summary>Gives a finished chain's descriptors back to the free list.</summary>
    private void Reclaim(ushort head)
    {
        ushort last = head;
        ushort count = 1;
        while (_next[last] != None)
        {
            last = _next[last];
            count++;
        }

        _next[last] = _freeHead;
        _freeHead = head;
        _freeCount += count;
    }
}
