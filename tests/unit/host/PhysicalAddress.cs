// Host stand-ins for kernel/machine: addresses that devices use are host addresses, and device memory is plain memory.

namespace Lego.Kernel;

public static unsafe class PhysicalAddress
{
    public static ulong Of(void* kernelAddress) => (ulong)kernelAddress;

    public static void* ToKernel(ulong physical) => (void*)physical;
}

public static unsafe class DeviceMemory
{
    public static void* Map(ulong physical, ulong lengthBytes) => (void*)physical;

    public static void* MapCached(ulong physical, ulong lengthBytes) => (void*)physical;
}
