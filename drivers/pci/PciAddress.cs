// Where a PCI function sits. QEMU's `addr=` option is the slot.

namespace Lego.Drivers;

/// <summary>Bus, slot (device number) and function.</summary>
public readonly struct PciAddress(byte bus, byte slot, byte function)
{
    public readonly byte Bus = bus;
    public readonly byte Slot = slot;
    public readonly byte Function = function;

    /// <summary>CONFIG_ADDRESS of configuration mechanism #1 (PCI 3.0, 3.2.2.3.2) for a register of this function.</summary>
    public uint RegisterAddress(int offset) =>
        0x8000_0000u | ((uint)Bus << 16) | ((uint)(Slot & 31) << 11) | ((uint)(Function & 7) << 8) | (uint)(offset & 0xFC);
}
