// The devices of this machine: finds them on the PCI bus and starts their drivers. Called once by an image's start-up; whoever needs a
// device is given it from here. A device that does not work is left out with a log line, and its user says what it misses.

using System;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Everything that drivers were found for, in slot order.</summary>
public sealed class DeviceSet
{
    private const int MaxPerKind = 16;
    private const int Slots = 32;

    private readonly BlockDevice[] _disks = new BlockDevice[MaxPerKind];
    private readonly NetDevice[] _cards = new NetDevice[MaxPerKind];
    private readonly SharedRegion[] _regions = new SharedRegion[MaxPerKind];
    private readonly Doorbell?[] _doorbells = new Doorbell?[Slots];
    private readonly InterruptLines _lines = new();
    /// <summary>Shared by all devices whose interrupts only end a halt.</summary>
    private readonly byte _wakeVector = Interrupts.AllocateVector(new WakeInterrupt());

    /// <summary>Finds and starts all devices.</summary>
    public DeviceSet(PciConfiguration configuration, FrameAllocator frames)
    {
        PciFunction[] functions = new PciFunction[PciBus.MaxFunctions];
        int count = PciBus.Enumerate(configuration, functions);
        PciAssignment.Complete(functions.AsSpan(0, count));
        for (int index = 0; index < count; index++)
        {
            ref readonly PciFunction function = ref functions[index];
            if (!TryStart(function, frames))
            {
                uint slot = function.Address.Slot;
                Log.Warn($"pci slot {slot}: device {(uint)function.VendorId:x}:{(uint)function.DeviceId:x} does not work");
            }
        }
    }

    public int DiskCount { get; private set; }

    public int CardCount { get; private set; }

    public int RegionCount { get; private set; }

    /// <summary>The control channel to the rack tool, if there is one.</summary>
    public ByteChannel? Control { get; private set; }

    public EntropySource? Entropy { get; private set; }

    public BlockDevice Disk(int index) => _disks[index];

    public NetDevice Card(int index) => _cards[index];

    /// <summary>Shared memory; <see cref="RingRegionHeader"/> says what it is for.</summary>
    public SharedRegion Region(int index) => _regions[index];

    /// <summary>The doorbell in a PCI slot, as a ring region's header names it; null when there is none.</summary>
    public Doorbell? DoorbellInSlot(int slot) => (uint)slot < Slots ? _doorbells[slot] : null;

    /// <summary>The card with a role; null when there is none.</summary>
    public NetDevice? CardFor(CardRole role)
    {
        for (int index = 0; index < CardCount; index++)
        {
            if (CardAddress.RoleOf(_cards[index].MacAddress) == role)
            {
                return _cards[index];
            }
        }

        return null;
    }

    /// <summary>
    /// Adds the counters of the first disk and of the cards that have a role: a rack's machines have one of each at most.
    /// </summary>
    public void Report(ref StatisticsWriter writer)
    {
        if (DiskCount > 0)
        {
            _disks[0].Report(ref writer);
        }

        CardFor(CardRole.Fabric)?.Report("net."u8, ref writer);
        CardFor(CardRole.Programs)?.Report("programs_net."u8, ref writer);
    }

    /// <summary>False only for a device that has a driver and does not work.</summary>
    private bool TryStart(in PciFunction function, FrameAllocator frames)
    {
        switch (function.VendorId, function.DeviceId)
        {
            case (Ivshmem.VendorId, Ivshmem.DeviceId):
                return TryAddRegion(function);
            case (PciSerialDoorbell.VendorId, PciSerialDoorbell.DeviceId):
                _doorbells[function.Address.Slot] = PciSerialDoorbell.Open(function, _lines);
                return _doorbells[function.Address.Slot] != null;
            case (E1000.VendorId, E1000.DeviceId):
                return TryAddCard(CardCount < MaxPerKind ? E1000.Open(function, _lines, frames) : null);
            case (VirtioPci.VendorId, >= VirtioPci.FirstDeviceId):
                return TryStartVirtio(function, frames);
            default:
                return true;
        }
    }

    private bool TryAddRegion(in PciFunction function)
    {
        if (RegionCount == MaxPerKind || Ivshmem.TryOpen(function, out SharedRegion region) != Errno.None)
        {
            return false;
        }

        _regions[RegionCount++] = region;
        return true;
    }

    private bool TryAddCard(NetDevice? card)
    {
        if (card != null)
        {
            _cards[CardCount++] = card;
        }

        return card != null;
    }

    private bool TryStartVirtio(in PciFunction function, FrameAllocator frames)
    {
        VirtioPci? transport = VirtioPci.Open(function, _wakeVector);
        if (transport == null)
        {
            return false;
        }

        switch (function.DeviceId - VirtioPci.FirstDeviceId)
        {
            case VirtioNet.DeviceType:
                return TryAddCard(CardCount < MaxPerKind ? VirtioNet.Open(transport, frames) : null);
            case VirtioBlock.DeviceType:
                VirtioBlock? disk = DiskCount < MaxPerKind ? VirtioBlock.Open(transport, frames) : null;
                if (disk != null)
                {
                    _disks[DiskCount++] = disk;
                }

                return disk != null;
            case VirtioConsole.DeviceType:
                Control = VirtioConsole.Open(transport, frames);
                return Control != null;
            case VirtioEntropy.DeviceType:
                Entropy = VirtioEntropy.Open(transport, frames);
                return Entropy != null;
            default:
                return true;
        }
    }

    /// <summary>The interrupt itself is the news: the machine has left its halt and polls.</summary>
    private sealed class WakeInterrupt : InterruptHandler
    {
        public override void OnInterrupt()
        {
        }
    }
}
