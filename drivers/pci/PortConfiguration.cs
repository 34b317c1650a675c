// Configuration mechanism #1 (PCI 3.0, 3.2.2.3.2): an address port and a data window. Boot time only, so the pair needs no lock.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Configuration space through ports 0xCF8 and 0xCFC.</summary>
public sealed class PortConfiguration : PciConfiguration
{
    private const ushort AddressPort = 0xCF8;
    private const ushort DataPort = 0xCFC;

    public override uint Read32(PciAddress address, int offset)
    {
        Ports.Out32(AddressPort, address.RegisterAddress(offset));
        return Ports.In32(DataPort);
    }

    public override void Write32(PciAddress address, int offset, uint value)
    {
        Ports.Out32(AddressPort, address.RegisterAddress(offset));
        Ports.Out32(DataPort, value);
    }

    public override void Write16(PciAddress address, int offset, ushort value)
    {
        Ports.Out32(AddressPort, address.RegisterAddress(offset));
        Ports.Out16((ushort)(DataPort + (offset & 2)), value);
    }
}
