// Device registers and shared memory of PCI devices, mapped at their direct-map address. Boot time; never unmapped.

namespace Lego.Kernel;

/// <summary>Maps what a BAR points at.</summary>
public static unsafe class DeviceMemory
{
    /// <summary>Registers: uncached.</summary>
    public static void* Map(ulong physical, ulong lengthBytes)
    {
        KernelMap.MapDevice(physical, lengthBytes, PageTable.CacheDisabled);
        return PhysicalAddress.ToKernel(physical);
    }

    /// <summary>Memory that happens to be behind a BAR (ivshmem): cached write-back.</summary>
    public static void* MapCached(ulong physical, ulong lengthBytes)
    {
        KernelMap.MapDevice(physical, lengthBytes, 0);
        return PhysicalAddress.ToKernel(physical);
    }
}
