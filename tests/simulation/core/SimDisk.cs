// The disk of a simulated storage machine: a copy-on-write view of an image, whose operations take time.

using System;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>A block device over an image in memory; the image itself stays as it is.</summary>
internal sealed unsafe class SimDisk(SimMachine machine, byte[] image) : BlockDevice
{
    private const int ChunkBytes = 4096;

    private readonly byte[]?[] _changed = new byte[]?[image.Length / ChunkBytes];

    public override ulong SectorCount => (ulong)image.Length / SectorSize;

    public override bool ReadOnly => false;

    public override Errno Read(ulong sector, void* buffer, uint lengthBytes)
    {
        if (!IsInside(sector, lengthBytes))
        {
            return Errno.EINVAL;
        }

        Wait();
        for (uint done = 0; done < lengthBytes; done += SectorSize)
        {
            At(sector + (done / SectorSize), false).CopyTo(new Span<byte>((byte*)buffer + done, SectorSize));
        }

        return Errno.None;
    }

    public override Errno Write(ulong sector, void* buffer, uint lengthBytes)
    {
        if (!IsInside(sector, lengthBytes))
        {
            return Errno.EINVAL;
        }

        Wait();
        for (uint done = 0; done < lengthBytes; done += SectorSize)
        {
            new ReadOnlySpan<byte>((byte*)buffer + done, SectorSize).CopyTo(At(sector + (done / SectorSize), true));
        }

        return Errno.None;
    }

    public override Errno Flush()
    {
        Wait();
        return Errno.None;
    }

    private bool IsInside(ulong sector, uint lengthBytes) =>
        lengthBytes % SectorSize == 0 && sector <= SectorCount && lengthBytes / SectorSize <= SectorCount - sector;

    private void Wait()
    {
        Choices choices = machine.Simulation.Choices;
        int mostNs = choices.Next(100) < 5 ? 5_000_000 : 60_000;
        Scheduler.Sleep((ulong)(2_000 + choices.Next(mostNs)));
    }

    private Span<byte> At(ulong sector, bool changes)
    {
        ulong position = sector * SectorSize;
        ref byte[]? chunk = ref _changed[position / ChunkBytes];
        if (chunk == null && changes)
        {
            chunk = image.AsSpan((int)(position / ChunkBytes * ChunkBytes), ChunkBytes).ToArray();
        }

        return chunk == null ? image.AsSpan((int)position, SectorSize) : chunk.AsSpan((int)(position % ChunkBytes), SectorSize);
    }
}
