// Access to configuration space, 256 bytes per function. An abstract class so that enumeration, BAR sizing and capability walks are tested
// on the host over a fake. Boot time only; never blocks.

namespace Lego.Drivers;

/// <summary>Reads and writes configuration registers. Absent functions read as all ones.</summary>
public abstract class PciConfiguration
{
    /// <summary>Reads the aligned 32-bit register at <paramref name="offset"/>.</summary>
    public abstract uint Read32(PciAddress address, int offset);

    /// <summary>Writes the aligned 32-bit register at <paramref name="offset"/>.</summary>
    public abstract void Write32(PciAddress address, int offset, uint value);

    /// <summary>
    /// Writes 16 bits alone: the neighbour of the command register is the status register, whose bits clear when written.
    /// </summary>
    public abstract void Write16(PciAddress address, int offset, ushort value);

    public ushort Read16(PciAddress address, int offset) => (ushort)(Read32(address, offset & ~3) >> ((offset & 2) * 8));

    public byte Read8(PciAddress address, int offset) => (byte)(Read32(address, offset & ~3) >> ((offset & 3) * 8));
}
