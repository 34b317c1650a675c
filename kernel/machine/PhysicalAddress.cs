// Kernel pointers to memory are direct-map addresses: physical address + a constant. Device registers are mapped there too
// (DeviceMemory.cs).

namespace Lego.Kernel;

/// <summary>Converts between kernel pointers and physical addresses.</summary>
public static unsafe class PhysicalAddress
{
    /// <summary>Where physical address 0 appears.</summary>
    internal const ulong DirectMapBase = 0xFFFF800000000000;

    public static ulong Of(void* kernelAddress) => (ulong)kernelAddress - DirectMapBase;

    public static void* ToKernel(ulong physical) => (void*)(physical + DirectMapBase);
}
