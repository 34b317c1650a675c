// Virtio over PCI (virtio 1.2, 4.1): capabilities in configuration space say where in the function's windows the common configuration, the
// notification area and the device-specific configuration are. Interrupts are MSI-X; every queue shares one vector, because a handler here
// only has to end a halt: whoever waits then polls its queues.

using System.Threading;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>The PCI transport of one device.</summary>
public sealed unsafe class VirtioPci : VirtioTransport
{
    public const ushort VendorId = 0x1AF4;
    /// <summary>PCI device ids of virtio 1.x are this plus the device type (4.1.2).</summary>
    public const ushort FirstDeviceId = 0x1040;

    private const byte VendorCapability = 0x09;
    // Fields of virtio_pci_cap, 4.1.4.
    private const int CapabilityType = 3;
    private const int CapabilityBar = 4;
    private const int CapabilityOffset = 8;
    private const int CapabilityLength = 12;
    private const int CapabilityNotifyMultiplier = 16;
    private const byte TypeCommon = 1;
    private const byte TypeNotify = 2;
    private const byte TypeDevice = 4;

    private const byte StatusAcknowledge = 1;
    private const byte StatusDriver = 2;
    private const byte StatusDriverOk = 4;
    private const byte StatusFeaturesOk = 8;
    private const byte StatusFailed = 128;

    private const ushort NoVector = 0xFFFF;
    private const ushort WakeEntry = 0;
    /// <summary>Devices reset within microseconds; one that has not after so many looks never will.</summary>
    private const int ResetAttempts = 1_000_000;

    private readonly CommonConfiguration* _common;
    private readonly Window _notify;
    private readonly Window _device;
    private readonly uint _notifyMultiplier;
    private bool _eventIndex;

    private VirtioPci(CommonConfiguration* common, Window notify, uint notifyMultiplier, Window device)
    {
        _common = common;
        _notify = notify;
        _notifyMultiplier = notifyMultiplier;
        _device = device;
    }

    /// <summary>virtio_pci_common_cfg, 4.1.4.3. All fields are naturally aligned.</summary>
    private struct CommonConfiguration
    {
        internal uint DeviceFeatureSelect;
        internal uint DeviceFeature;
        internal uint DriverFeatureSelect;
        internal uint DriverFeature;
        internal ushort ConfigurationVector;
        internal ushort QueueCount;
        internal byte Status;
        internal byte Generation;
        internal ushort QueueSelect;
        internal ushort QueueSize;
        internal ushort QueueVector;
        internal ushort QueueEnable;
        internal ushort QueueNotifyOffset;
        // 64-bit fields may be written in two halves, and must be where the device has 32-bit registers only.
        internal uint QueueDescriptorsLow;
        internal uint QueueDescriptorsHigh;
        internal uint QueueAvailableLow;
        internal uint QueueAvailableHigh;
        internal uint QueueUsedLow;
        internal uint QueueUsedHigh;
    }

    /// <summary>A mapped structure of the device.</summary>
    private readonly struct Window(byte* start, uint lengthBytes)
    {
        internal readonly byte* Start = start;
        internal readonly uint LengthBytes = lengthBytes;
    }

    /// <summary>
    /// Maps the structures and routes the interrupt to a vector that need only end a halt. Null: not a modern virtio device, or its
    /// capabilities do not add up.
    /// </summary>
    public static VirtioPci? Open(in PciFunction function, byte wakeVector)
    {
        function.Enable();
        Window common = Map(function, TypeCommon, out _);
        Window notify = Map(function, TypeNotify, out int notifyCapability);
        Window device = Map(function, TypeDevice, out _);
        if (common.LengthBytes < sizeof(CommonConfiguration) || notify.LengthBytes < sizeof(ushort))
        {
            return null;
        }

        if (MsiX.TryEnable(function, out MsiX msiX) != Errno.None)
        {
            return null;
        }

        msiX.Route(WakeEntry, wakeVector);
        uint multiplier = function.Read32(notifyCapability + CapabilityNotifyMultiplier);
        return new VirtioPci((CommonConfiguration*)common.Start, notify, multiplier, device);
    }

    public override Errno Negotiate(ulong wanted, out ulong agreed)
    {
        agreed = 0;
        Reset();
        for (int attempt = 0; Volatile.Read(ref _common->Status) != 0; attempt++)
        {
            if (attempt == ResetAttempts)
            {
                return Errno.ENODEV;
            }

            Cpu.Pause();
        }

        Volatile.Write(ref _common->Status, StatusAcknowledge);
        Volatile.Write(ref _common->Status, StatusAcknowledge | StatusDriver);
        ulong offered = OfferedHalf(0) | ((ulong)OfferedHalf(1) << 32);
        agreed = offered & (wanted | VirtioFeatures.Version1);
        if ((agreed & VirtioFeatures.Version1) == 0)
        {
            return Refuse();
        }

        AcceptHalf(0, (uint)agreed);
        AcceptHalf(1, (uint)(agreed >> 32));
        Volatile.Write(ref _common->Status, StatusAcknowledge | StatusDriver | StatusFeaturesOk);
        if ((Volatile.Read(ref _common->Status) & StatusFeaturesOk) == 0)
        {
            return Refuse();
        }

        Volatile.Write(ref _common->ConfigurationVector, NoVector);
        _eventIndex = (agreed & VirtioFeatures.EventIndex) != 0;
        return Errno.None;
    }

    public override VirtQueue? OpenQueue(ushort number, ushort maxSize, FrameAllocator frames)
    {
        if (number >= Volatile.Read(ref _common->QueueCount))
        {
            return null;
        }

        Volatile.Write(ref _common->QueueSelect, number);
        ushort size = Volatile.Read(ref _common->QueueSize);
        while (size > maxSize || size > VirtQueue.MaxSize)
        {
            size >>= 1;
        }

        ulong notifyOffset = (ulong)Volatile.Read(ref _common->QueueNotifyOffset) * _notifyMultiplier;
        bool sound = size != 0 && (size & (size - 1)) == 0 && notifyOffset <= _notify.LengthBytes - sizeof(ushort)
            && (notifyOffset & 1) == 0;
        if (!sound)
        {
            return null;
        }

        ulong pages = (VirtQueue.MemoryBytes(size) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        byte* memory = (byte*)frames.AllocateContiguous(pages);
        if (memory == null)
        {
            return null;
        }

        for (ulong page = 0; page < pages; page++)
        {
            PageOperations.Clear(memory + (page * PageOperations.PageSize));
        }

        VirtQueue queue = new(number, size, memory, (ushort*)(_notify.Start + notifyOffset), _eventIndex);
        ulong descriptors = PhysicalAddress.Of(memory);
        ulong available = descriptors + VirtQueue.AvailableOffset(size);
        ulong used = descriptors + VirtQueue.UsedOffset(size);
        Volatile.Write(ref _common->QueueSize, size);
        Volatile.Write(ref _common->QueueVector, WakeEntry);
        Volatile.Write(ref _common->QueueDescriptorsLow, (uint)descriptors);
        Volatile.Write(ref _common->QueueDescriptorsHigh, (uint)(descriptors >> 32));
        Volatile.Write(ref _common->QueueAvailableLow, (uint)available);
        Volatile.Write(ref _common->QueueAvailableHigh, (uint)(available >> 32));
        Volatile.Write(ref _common->QueueUsedLow, (uint)used);
        Volatile.Write(ref _common->QueueUsedHigh, (uint)(used >> 32));
        Volatile.Write(ref _common->QueueEnable, (ushort)1);
        return queue;
    }

    public override void Start() =>
        Volatile.Write(ref _common->Status, StatusAcknowledge | StatusDriver | StatusFeaturesOk | StatusDriverOk);

    public override void Reset() => Volatile.Write(ref _common->Status, (byte)0);

    public override byte Configuration8(int offset) =>
        HasConfiguration(offset, sizeof(byte)) ? Volatile.Read(ref _device.Start[offset]) : (byte)0;

    public override ushort Configuration16(int offset) =>
        HasConfiguration(offset, sizeof(ushort)) ? Volatile.Read(ref *(ushort*)(_device.Start + offset)) : (ushort)0;

    public override uint Configuration32(int offset) =>
        HasConfiguration(offset, sizeof(uint)) ? Volatile.Read(ref *(uint*)(_device.Start + offset)) : 0;

    /// <summary>
    /// Where a structure of this type lies. The first capability whose window is sound counts (4.1.4.1: devices may offer several).
    /// </summary>
    private static Window Map(in PciFunction function, byte type, out int capability)
    {
        capability = function.FindCapability(VendorCapability);
        // The walk ends: each step goes on from the last, and a list that comes back to its start is cut off by the count.
        for (int seen = 0; capability != 0 && seen < byte.MaxValue; seen++)
        {
            if (function.Read8(capability + CapabilityType) == type)
            {
                PciBar bar = function.Bar(function.Read8(capability + CapabilityBar));
                uint offset = function.Read32(capability + CapabilityOffset);
                uint lengthBytes = function.Read32(capability + CapabilityLength);
                if (bar.Kind == PciBarKind.Memory && lengthBytes != 0 && bar.Contains(offset, lengthBytes))
                {
                    return new Window((byte*)DeviceMemory.Map(bar.Base + offset, lengthBytes), lengthBytes);
                }
            }

            capability = function.FindCapability(VendorCapability, capability);
        }

        return default;
    }

    private bool HasConfiguration(int offset, uint lengthBytes) =>
        offset >= 0 && _device.LengthBytes >= lengthBytes && (uint)offset <= _device.LengthBytes - lengthBytes;

    private uint OfferedHalf(uint half)
    {
        Volatile.Write(ref _common->DeviceFeatureSelect, half);
        return Volatile.Read(ref _common->DeviceFeature);
    }

    private void AcceptHalf(uint half, uint features)
    {
        Volatile.Write(ref _common->DriverFeatureSelect, half);
        Volatile.Write(ref _common->DriverFeature, features);
    }

    private Errno Refuse()
    {
        Volatile.Write(ref _common->Status, StatusFailed);
        return Errno.ENODEV;
    }
}
