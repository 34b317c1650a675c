// A device that fails here and there: what cannot be written stays, stands in nobody's way, and is written as soon as the device takes it.

using System;
using System.Collections.Generic;
using Lego.Kernel;
using Lego.Storage.Ext4;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Storage;

public sealed unsafe class FailingDeviceTests
{
    private const uint BlockBytes = 4096;
    private const uint BlockCount = 64;
    private const uint CachedBlocks = 4;

    [Fact]
    public void A_block_that_cannot_be_written_keeps_no_other_from_being_read()
    {
        using HostFrames frames = new(1);
        SectorDevice device = new();
        BlockCache cache = new(device, frames.Allocator, BlockBytes, BlockCount, CachedBlocks);
        using (BlockHandle block = cache.Create(1, BlockKind.Directory, out Errno created))
        {
            Assert.Equal(Errno.None, created);
            block.Data[0] = 77;
        }

        device.RefusedSector = 1 * BlockBytes / BlockDevice.SectorSize;
        for (uint number = 2; number < BlockCount; number++)
        {
            using BlockHandle block = cache.Read(number, BlockKind.Directory, out Errno error);
            Assert.Equal(Errno.None, error);
        }

        device.RefusedSector = ulong.MaxValue;
        Assert.Equal(Errno.None, cache.WriteBack());
        Assert.Equal(77, device.Sectors[BlockBytes / BlockDevice.SectorSize][0]);
    }

    [Fact]
    public void A_volume_that_could_not_be_marked_unclean_is_marked_by_the_next_change()
    {
        using VolumeImage image = new("8M");
        Volume volume = image.Mount();
        image.Device.OperationsUntilFailure = 0;
        Assert.Equal(Errno.EIO, volume.BeginChange());
        image.Device.OperationsUntilFailure = -1;
        Assert.DoesNotContain("not clean", VolumeImage.Run("dumpe2fs", $"-h {image.Path}"));
        Assert.Equal(Errno.None, volume.BeginChange());
        Assert.Contains("not clean", VolumeImage.Run("dumpe2fs", $"-h {image.Path}"));
    }

    [Fact]
    public void A_truncation_that_the_device_interrupts_leaves_a_file_that_can_be_opened_and_truncated_again()
    {
        const int Pieces = 2000;
        const uint SmallCache = 16;
        using VolumeImage image = new("16M", "-b 1024 -O ^has_journal");
        Volume volume = image.Mount();
        uint file = VolumeTests.Create(volume, Geometry.RootInode, "scattered", FileMode.Regular | 0x1A4);
        for (ulong piece = 0; piece < Pieces; piece++)
        {
            using InodeHandle inode = volume.Inodes.Open(file, out _);
            Assert.Equal(Errno.None, volume.Contents.Write(inode, piece * 2048, [1, 2, 3], 0, out _));
        }

        Assert.Equal(Errno.None, volume.Sync());
        int interrupted = 0;
        Errno error = Errno.EIO;
        // Each attempt gets a little further before the device fails; what the one before has cut is off.
        for (int operations = 1; error != Errno.None; operations++)
        {
            volume = image.Mount(SmallCache);
            image.Device.OperationsUntilFailure = operations;
            using (InodeHandle inode = volume.Inodes.Open(file, out Errno opened))
            {
                error = opened != Errno.None ? opened : volume.Contents.Truncate(inode, 0, 0);
            }

            interrupted += error == Errno.EIO ? 1 : 0;
            Assert.True(error is Errno.None or Errno.EIO, $"after {operations} operations: {error}");
            image.Device.OperationsUntilFailure = -1;
            Assert.Equal(Errno.None, volume.Sync());
        }

        Assert.True(interrupted > 1);
        using InodeHandle empty = volume.Inodes.Open(file, out _);
        Assert.Equal(0UL, empty.Size);
    }

    /// <summary>Sectors in memory, one of which may be refused.</summary>
    private sealed class SectorDevice : BlockDevice
    {
        internal readonly Dictionary<ulong, byte[]> Sectors = [];

        internal ulong RefusedSector { get; set; } = ulong.MaxValue;

        public override ulong SectorCount => BlockCount * BlockBytes / SectorSize;

        public override bool ReadOnly => false;

        public override Errno Read(ulong sector, void* buffer, uint lengthBytes)
        {
            for (uint at = 0; at < lengthBytes; at += SectorSize)
            {
                Span<byte> target = new((byte*)buffer + at, (int)SectorSize);
                target.Clear();
                if (Sectors.TryGetValue(sector + (at / SectorSize), out byte[]? bytes))
                {
                    bytes.CopyTo(target);
                }
            }

            return Errno.None;
        }

        public override Errno Write(ulong sector, void* buffer, uint lengthBytes)
        {
            if (RefusedSector >= sector && RefusedSector < sector + (lengthBytes / SectorSize))
            {
                return Errno.EIO;
            }

            for (uint at = 0; at < lengthBytes; at += SectorSize)
            {
                Sectors[sector + (at / SectorSize)] = new Span<byte>((byte*)buffer + at, (int)SectorSize).ToArray();
            }

            return Errno.None;
        }

        public override Errno Flush() => Errno.None;
    }
}
