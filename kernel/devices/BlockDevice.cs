// A disk, as monitors see one. Drivers implement it (drivers/virtio/VirtioBlock.cs); host tests implement it over memory. Every operation
// may BLOCK (the caller's thread waits while others run), and several threads may have operations under way. Nothing orders two
// operations that overlap in time; Flush is the only barrier. Buffers lie in frames of the frame allocator, never on a stack or in static
// data (devices reach them by physical address), and stay the caller's until the call returns.

namespace Lego.Kernel;

/// <summary>Sectors of 512 bytes, read and written in runs.</summary>
public abstract unsafe class BlockDevice
{
    public const int SectorSize = 512;

    /// <summary>Sectors on the device.</summary>
    public abstract ulong SectorCount { get; }

    /// <summary>True when every write would be EROFS.</summary>
    public abstract bool ReadOnly { get; }

    /// <summary>Reads a multiple of 512 bytes. EINVAL: not a multiple, or past the end; EIO: the device failed.</summary>
    public abstract Errno Read(ulong sector, void* buffer, uint lengthBytes);

    /// <summary>Writes a multiple of 512 bytes; durable only after <see cref="Flush"/>. Errors as Read, and EROFS.</summary>
    public abstract Errno Write(ulong sector, void* buffer, uint lengthBytes);

    /// <summary>Returns when every write that had returned before this call is on stable storage. EIO: the device failed.</summary>
    public abstract Errno Flush();

    /// <summary>Adds the device's counters, block.*.</summary>
    public virtual void Report(ref StatisticsWriter writer)
    {
    }
}
