// Volumes that were damaged at random places, and devices that fail at random moments: every operation must end with a result or an
// error, never with an exception (a panic in an image), a hang, or an access outside the buffers.

using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;
using Xunit;
using FileMode = Lego.Kernel.FileMode;

namespace Lego.Tests.Storage;

public class DamagedVolumeTests
{
    private const int Rounds = 150;

    [Theory]
    [InlineData("-b 1024 -O ^metadata_csum,^has_journal")]
    [InlineData("-b 4096 -O ^metadata_csum,^has_journal")]
    [InlineData("-b 1024 -O ^has_journal")]
    public void Any_damage_ends_in_results_or_errors(string options)
    {
        using VolumeImage image = new("4M", options, Populate);
        image.DebugfsWrite("fallocate /unwritten 1 20");
        byte[] pristine = File.ReadAllBytes(image.Path);
        List<int> interesting = MetadataBytes(pristine);
        for (int round = 0; round < Rounds; round++)
        {
            Random random = new(round);
            byte[] damaged = (byte[])pristine.Clone();
            int changes = random.Next(1, 30);
            for (int i = 0; i < changes; i++)
            {
                damaged[interesting[random.Next(interesting.Count)]] = RandomByte(random);
            }

            File.WriteAllBytes(image.Path, damaged);
            if (image.TryMount(64) == Errno.None)
            {
                Exercise(image, random);
            }

            image.Unmount();
        }
    }

    /// <summary>Bytes of a descriptor's places: the block bitmap's, the inode bitmap's, the inode table's.</summary>
    [Theory]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(10)]
    public void A_damaged_group_descriptor_is_restored_from_its_copy(int offset)
    {
        const int FirstDescriptor = 2048;
        using VolumeImage image = new("16M", "-b 1024 -O ^metadata_csum,^has_journal", Populate);
        byte[] bytes = File.ReadAllBytes(image.Path);
        bytes[FirstDescriptor + offset] = byte.MaxValue;
        File.WriteAllBytes(image.Path, bytes);

        Volume volume = image.Mount();
        uint folder = VolumeTests.Find(volume, Geometry.RootInode, "folder");
        uint file = VolumeTests.Find(volume, VolumeTests.Find(volume, folder, "below"), "file");
        Assert.Equal(new byte[100_000], VolumeTests.ReadAll(volume, file));
        uint made = VolumeTests.Create(volume, folder, "new", FileMode.Regular | 0x1A4);
        VolumeTests.WriteAll(volume, made, 0, bytes[..50_000]);
        Assert.Equal(Errno.None, volume.Sync());
        image.Unmount();

        // It was marked, so the next start has e2fsck look at it; what was written is there.
        Assert.Contains("clean with errors", image.Debugfs("show_super_stats -h"), StringComparison.Ordinal);
        VolumeImage.Repair(image.Path);
        Assert.Equal(bytes[..50_000], image.ReadBack("/folder/new"));
        image.Mount();
        image.AssertSound();
    }

    [Fact]
    public void Flags_of_groups_mean_nothing_without_checksums()
    {
        const int DescriptorBytes = 64;
        const int FirstDescriptor = 2048;
        const int Flags = 0x12;
        using VolumeImage image = new("16M", "-b 1024 -O ^metadata_csum,^has_journal", Populate);
        byte[] bytes = File.ReadAllBytes(image.Path);
        for (int group = 0; group < 2; group++)
        {
            bytes[FirstDescriptor + (group * DescriptorBytes) + Flags] = (byte)GroupFlags.BlocksUninitialized;
        }

        File.WriteAllBytes(image.Path, bytes);
        Volume volume = image.Mount();
        uint folder = VolumeTests.Find(volume, Geometry.RootInode, "folder");
        uint made = VolumeTests.Create(volume, folder, "new", FileMode.Regular | 0x1A4);
        VolumeTests.WriteAll(volume, made, 0, bytes[..50_000]);
        uint file = VolumeTests.Find(volume, VolumeTests.Find(volume, folder, "below"), "file");
        Assert.Equal(new byte[100_000], VolumeTests.ReadAll(volume, file));
        image.AssertSound();
    }

    [Fact]
    public void A_failing_device_is_an_error_and_the_volume_goes_on_when_it_works_again()
    {
        using VolumeImage image = new("4M", "", Populate);
        using StorageFixture storage = new(image, 64);
        for (int failAt = 1; failAt < 60; failAt++)
        {
            image.Device.OperationsUntilFailure = failAt;
            ExerciseByName(storage, new Random(failAt));
            image.Device.OperationsUntilFailure = -1;
            Assert.Equal(Errno.None, storage.Open("/", PathFlags.Directory, out _));
        }

        Assert.Equal(Errno.None, storage.Sync());
    }

    [Fact]
    public void An_image_cut_short_or_empty_is_not_mounted()
    {
        using VolumeImage image = new("4M");
        byte[] whole = File.ReadAllBytes(image.Path);
        foreach (int length in new[] { 0, 512, 1024, 2048, 100 * 1024, whole.Length - 1024 })
        {
            File.WriteAllBytes(image.Path, whole[..length]);
            Assert.NotEqual(Errno.None, image.TryMount());
            image.Unmount();
        }
    }

    private static void Populate(string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "folder/below"));
        File.WriteAllBytes(Path.Combine(folder, "folder/below/file"), new byte[100_000]);
        File.CreateSymbolicLink(Path.Combine(folder, "link"), "folder/below");
        File.CreateSymbolicLink(Path.Combine(folder, "long"), new string('l', 300));
        File.WriteAllText(Path.Combine(folder, "unwritten"), "x");
        using (FileStream sparse = File.Create(Path.Combine(folder, "sparse")))
        {
            for (int i = 0; i < 40; i++)
            {
                sparse.Position = i * 20_000;
                sparse.WriteByte(1);
            }
        }

        for (int i = 0; i < 100; i++)
        {
            File.WriteAllText(Path.Combine(folder, $"folder/file with a name {i}"), "content");
        }
    }

    /// <summary>Bytes that are not zero and not file contents are where damage matters; some zeros beside them too.</summary>
    private static List<int> MetadataBytes(byte[] image)
    {
        List<int> positions = [];
        for (int i = 0; i < image.Length; i++)
        {
            if (image[i] != 0)
            {
                positions.Add(i);
                positions.Add(Math.Max(i - 1, 0));
            }
        }

        return positions;
    }

    private static byte RandomByte(Random random) => random.Next(4) switch
    {
        0 => 0,
        1 => 255,
        _ => (byte)random.Next(256),
    };

    private static void Exercise(VolumeImage image, Random random)
    {
        using StorageFixture storage = new(image, 64, remount: false);
        ExerciseByName(storage, random);
        storage.Sync();
    }

    private static void ExerciseByName(StorageFixture storage, Random random)
    {
        string[] paths =
        [
            "/folder", "/folder/below/file", "/link/file", "/long", "/sparse", "/unwritten", "/folder/file with a name 7", "/lost+found",
            "/folder/..", "/new", "/folder/new", "/folder/below", "/link",
        ];
        byte[] data = new byte[30_000];
        for (int step = 0; step < 60; step++)
        {
            string path = paths[random.Next(paths.Length)];
            string other = paths[random.Next(paths.Length)];
            switch (random.Next(11))
            {
                case 0:
                    storage.List(path, [], 4096);
                    break;
                case 1:
                    storage.Read(path, default, (ulong)random.Next(900_000), 56_000, out _);
                    break;
                case 2:
                    storage.Write(path, default, (ulong)random.Next(900_000), data, out _);
                    break;
                case 3:
                    storage.Truncate(path, default, (ulong)random.Next(900_000), out _);
                    break;
                case 4:
                    storage.Unlink(path, (PathFlags)((uint)PathFlags.Directory * (uint)random.Next(2)), out _);
                    break;
                case 5:
                    storage.Rename(path, other, PathFlags.None, out _);
                    break;
                case 6:
                    storage.Link(path, other);
                    break;
                case 7:
                    storage.MakeNode(path, random.Next(2) == 0 ? FileMode.Directory | 0x1ED : FileMode.SymbolicLink, new string('t', 100));
                    break;
                case 8:
                    storage.Open(path, PathFlags.Create, out _);
                    break;
                case 9:
                    storage.ReadLink(path, out _);
                    break;
                default:
                    storage.SetAttributes(path, new SetAttributesRequest { Mask = AttributeMask.Mode, Mode = 0x1ED }, out _);
                    break;
            }
        }
    }
}
