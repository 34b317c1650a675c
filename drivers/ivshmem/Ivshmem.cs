// QEMU's inter-VM shared memory device without interrupts (ivshmem-plain; qemu docs/specs/ivshmem-spec): BAR 2 is the shared memory. It is
// ordinary host memory, so it is mapped write-back cached. Boot time only.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Finds the shared memory of one device.</summary>
public static unsafe class Ivshmem
{
    public const ushort VendorId = 0x1AF4;
    public const ushort DeviceId = 0x1110;

    private const int MemoryBar = 2;

    /// <summary>Maps the memory. ENXIO: the device has none.</summary>
    public static Errno TryOpen(in PciFunction function, out SharedRegion region)
    {
        region = default;
        function.Enable();
        PciBar bar = function.Bar(MemoryBar);
        if (bar.Kind != PciBarKind.Memory)
        {
            return Errno.ENXIO;
        }

        region = new SharedRegion(DeviceMemory.MapCached(bar.Base, bar.LengthBytes), bar.LengthBytes);
        return Errno.None;
    }
}
