// How a virtio driver reaches its device: negotiate, set up queues, start. Implemented over PCI (VirtioPci.cs) and, for host tests, by
// devices written in C#. Boot time only, except Reset.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Feature bits that concern every device type (virtio 1.2, 6).</summary>
public static class VirtioFeatures
{
    /// <summary>The device tells with indices, not flags, when it wants to be notified, and so does the driver.</summary>
    public const ulong EventIndex = 1UL << 29;

    /// <summary>Virtio 1.x; without it the device is a legacy one that we do not drive.</summary>
    public const ulong Version1 = 1UL << 32;
}

/// <summary>One virtio device.</summary>
public abstract unsafe class VirtioTransport
{
    /// <summary>
    /// Resets the device and agrees on the features that both sides know; Version1 is always asked for and must be there.
    /// ENODEV: the device refuses.
    /// </summary>
    public abstract Errno Negotiate(ulong wanted, out ulong agreed);

    /// <summary>
    /// Sets a queue up with at most <paramref name="maxSize"/> descriptors. Null: the device has no such queue, or no memory.
    /// </summary>
    public abstract VirtQueue? OpenQueue(ushort number, ushort maxSize, FrameAllocator frames);

    /// <summary>All queues are set up: the device may work from now on.</summary>
    public abstract void Start();

    /// <summary>Stops the device for good, for instance because it broke the rules of a ring.</summary>
    public abstract void Reset();

    /// <summary>Device-specific configuration, read with the width of the field as 4.1.3.1 asks; 0 past its end.</summary>
    public abstract byte Configuration8(int offset);

    public abstract ushort Configuration16(int offset);

    public abstract uint Configuration32(int offset);

    /// <summary>A 64-bit field, which drivers read in two halves.</summary>
    public ulong Configuration64(int offset) => Configuration32(offset) | ((ulong)Configuration32(offset + 4) << 32);
}
