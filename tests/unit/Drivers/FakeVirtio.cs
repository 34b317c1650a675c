// The device side of virtio for host tests: a queue seen from the device, and a transport that hands queues to drivers and keeps the
// other end. Everything works on the memory that the driver laid out; addresses are host addresses.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Drivers;
using Lego.Kernel;

namespace Lego.Tests.Drivers;

/// <summary>One buffer of a chain, as the device finds it.</summary>
public unsafe struct ChainPiece
{
    public byte* Start;
    public int LengthBytes;
    public bool DeviceWrites;

    public readonly Span<byte> Bytes => new(Start, LengthBytes);
}

/// <summary>A split virtqueue from the device's side (virtio 1.2, 2.7), written independently of the driver's.</summary>
public sealed unsafe class DeviceQueue(byte* memory, int size, bool eventIndex, ushort* doorbell)
{
    public const ushort DoorbellSilent = 0xFFFF;

    private readonly byte* _available = memory + (size * 16);
    private readonly byte* _used = memory + (((size * 16) + 4 + (size * 2) + 2 + 3) & ~3);
    private ushort _seen;

    public ushort AvailableFlags => *(ushort*)_available;

    public ushort AvailableIndex => *(ushort*)(_available + 2);

    public ushort UsedEvent => *(ushort*)(_available + 4 + (size * 2));

    public ushort* UsedIndex => (ushort*)(_used + 2);

    public ushort* UsedFlags => (ushort*)_used;

    public ushort* AvailableEvent => (ushort*)(_used + 4 + (size * 8));

    /// <summary>Chains published and not yet taken.</summary>
    public int Waiting => (ushort)(AvailableIndex - _seen);

    /// <summary>True once after each notification.</summary>
    public bool TakeDoorbell()
    {
        bool rung = *doorbell != DoorbellSilent;
        *doorbell = DoorbellSilent;
        return rung;
    }

    /// <summary>An interrupt would be due for the last used entry.</summary>
    public bool InterruptDue() => eventIndex ? UsedEvent == (ushort)(*UsedIndex - 1) : (AvailableFlags & 1) == 0;

    public bool TryPop(out ushort head, out List<ChainPiece> chain)
    {
        head = 0;
        chain = [];
        if (Waiting == 0)
        {
            return false;
        }

        head = *(ushort*)(_available + 4 + (_seen % size * 2));
        _seen++;
        ushort index = head;
        while (true)
        {
            byte* descriptor = memory + (index * 16);
            ushort flags = *(ushort*)(descriptor + 12);
            chain.Add(new ChainPiece
            {
                Start = (byte*)*(ulong*)descriptor,
                LengthBytes = (int)*(uint*)(descriptor + 8),
                DeviceWrites = (flags & 2) != 0,
            });
            if ((flags & 1) == 0)
            {
                break;
            }

            index = *(ushort*)(descriptor + 14);
        }
        // Ask for a notification of the next chain, as QEMU does once it has caught up.
        *AvailableEvent = _seen;
        return true;
    }

    public void Push(uint head, uint writtenBytes)
    {
        byte* element = _used + 4 + (*UsedIndex % size * 8);
        *(uint*)element = head;
        *(uint*)(element + 4) = writtenBytes;
        (*UsedIndex)++;
    }
}

/// <summary>Offers features and configuration bytes; keeps the device's end of each queue.</summary>
public sealed unsafe class FakeTransport(ulong offered, byte[] configuration, int maxQueueSize = 256) : VirtioTransport
{
    public Dictionary<int, DeviceQueue> Queues { get; } = [];

    public bool Started { get; private set; }

    public int Resets { get; private set; }

    public ulong Agreed { get; private set; }

    public override Errno Negotiate(ulong wanted, out ulong agreed)
    {
        Agreed = agreed = (offered | VirtioFeatures.Version1) & (wanted | VirtioFeatures.Version1);
        return Errno.None;
    }

    public override VirtQueue? OpenQueue(ushort number, ushort maxSize, FrameAllocator frames)
    {
        ushort size = Math.Min(maxSize, (ushort)maxQueueSize);
        ulong pages = (VirtQueue.MemoryBytes(size) + 4095) / 4096;
        byte* memory = (byte*)frames.AllocateContiguous(pages);
        new Span<byte>(memory, (int)pages * 4096).Clear();
        ushort* doorbell = (ushort*)NativeMemory.Alloc(2);
        *doorbell = DeviceQueue.DoorbellSilent;
        bool eventIndex = (Agreed & VirtioFeatures.EventIndex) != 0;
        Queues[number] = new DeviceQueue(memory, size, eventIndex, doorbell);
        return new VirtQueue(number, size, memory, doorbell, eventIndex);
    }

    public override void Start() => Started = true;

    public override void Reset() => Resets++;

    public override byte Configuration8(int offset) => offset < configuration.Length ? configuration[offset] : (byte)0;

    public override ushort Configuration16(int offset) => (ushort)(Configuration8(offset) | (Configuration8(offset + 1) << 8));

    public override uint Configuration32(int offset) => Configuration16(offset) | ((uint)Configuration16(offset + 2) << 16);
}

/// <summary>Runs a device whenever the driver polls.</summary>
public sealed class DeviceSource(Func<bool> work) : PollSource
{
    public override bool Poll() => work();
}

/// <summary>Frames over host memory for one test.</summary>
public static unsafe class TestFrames
{
    public static FrameAllocator Create(int pages = 2048) => new(NativeMemory.AlignedAlloc((nuint)pages * 4096, 4096), (ulong)pages);
}
