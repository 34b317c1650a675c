// The ext4 code on volumes made by mke2fs: single behaviours, each judged by e2fsck and debugfs.

using System;
using System.IO;
using System.Linq;
using System.Text;
using Lego.Kernel;
using Lego.Storage.Ext4;
using Xunit;
using FileMode = Lego.Kernel.FileMode;

namespace Lego.Tests.Storage;

public unsafe class VolumeTests
{
    private static readonly byte[] Pattern = Enumerable.Range(0, 300_000).Select(i => (byte)((i * 7) + (i >> 8))).ToArray();

    [Theory]
    [InlineData("16M", "")]
    [InlineData("16M", "-b 4096")]
    [InlineData("16M", "-b 2048 -O ^metadata_csum")]
    [InlineData("16M", "-O ^has_journal,^64bit -I 128")]
    [InlineData("600M", "")]
    public void A_volume_made_by_mke2fs_reads_back_its_files(string size, string options)
    {
        using VolumeImage image = new(size, options, folder =>
        {
            Directory.CreateDirectory(Path.Combine(folder, "a/b"));
            File.WriteAllBytes(Path.Combine(folder, "a/b/file"), Pattern);
            File.CreateSymbolicLink(Path.Combine(folder, "short"), "a/b");
            File.CreateSymbolicLink(Path.Combine(folder, "long"), new string('x', 200));
        });
        Volume volume = image.Mount();

        uint a = Find(volume, Geometry.RootInode, "a");
        uint file = Find(volume, Find(volume, a, "b"), "file");
        Assert.Equal(Pattern, ReadAll(volume, file));
        Assert.Equal("a/b", ReadTarget(volume, Find(volume, Geometry.RootInode, "short")));
        Assert.Equal(new string('x', 200), ReadTarget(volume, Find(volume, Geometry.RootInode, "long")));
    }

    [Theory]
    [InlineData("16M", "")]
    [InlineData("16M", "-b 4096")]
    [InlineData("16M", "-b 2048 -O ^metadata_csum")]
    [InlineData("16M", "-O ^has_journal,^64bit -I 128")]
    [InlineData("600M", "")]
    [InlineData("2G", "-b 4096 -m 0 -E root_owner=0:0,lazy_itable_init=1")]
    public void New_files_directories_and_links_satisfy_e2fsck(string size, string options)
    {
        using VolumeImage image = new(size, options);
        Volume volume = image.Mount();

        uint folder = Create(volume, Geometry.RootInode, "folder", FileMode.Directory | 0x1ED);
        uint file = Create(volume, folder, "file", FileMode.Regular | 0x1A4);
        WriteAll(volume, file, 0, Pattern);
        Assert.Equal(Errno.None, volume.Names.Link(file, Geometry.RootInode, "second"u8));
        Create(volume, folder, "short", FileMode.SymbolicLink | 0x1FF, "file");
        Create(volume, folder, "long", FileMode.SymbolicLink | 0x1FF, new string('y', 100));
        Create(volume, folder, "pipe", FileMode.Fifo | 0x1A4);
        Create(volume, folder, "null", FileMode.CharacterDevice | 0x1B6, device: 0x103);

        image.AssertSound();
        Assert.Equal(Pattern, image.ReadBack("/folder/file"));
        Assert.Equal(Pattern, image.ReadBack("/second"));
        Assert.Contains("Fast link dest: \"file\"", image.Debugfs("stat /folder/short"));
        Assert.Contains("01:03", image.Debugfs("stat /folder/null"));
        volume = image.Mount();
        Assert.Equal(new string('y', 100), ReadTarget(volume, Find(volume, Find(volume, Geometry.RootInode, "folder"), "long")));
    }

    [Fact]
    public void Deleting_everything_gives_every_block_and_inode_back()
    {
        using VolumeImage image = new("16M");
        Volume volume = image.Mount();
        uint folder = Create(volume, Geometry.RootInode, "folder", FileMode.Directory | 0x1ED);
        ulong freeBlocks = volume.FreeBlocks;
        uint freeInodes = volume.FreeInodes;

        for (int i = 0; i < 300; i++)
        {
            uint file = Create(volume, folder, $"file with a long name {i:d4}", FileMode.Regular | 0x1A4);
            WriteAll(volume, file, (ulong)(i * 1000), Pattern[..(i * 10)]);
        }

        for (int i = 0; i < 300; i++)
        {
            Assert.Equal(Errno.None, Unlink(volume, folder, $"file with a long name {i:d4}", UnlinkKind.File));
        }

        Assert.Equal(freeInodes, volume.FreeInodes);
        image.AssertSound();
        Assert.Equal(Errno.None, Unlink(volume, Geometry.RootInode, "folder", UnlinkKind.Directory));
        Assert.Equal(freeInodes + 1, volume.FreeInodes);
        Assert.Equal(freeBlocks + 1, volume.FreeBlocks);
        image.AssertSound();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void A_file_of_many_scattered_blocks_grows_a_deep_tree_and_shrinks_again(int direction)
    {
        using VolumeImage image = new("64M", "-b 1024 -O ^has_journal");
        Volume volume = image.Mount();
        uint file = Create(volume, Geometry.RootInode, "sparse", FileMode.Regular | 0x1A4);
        ulong freeBlocks = volume.FreeBlocks;
        const int pieces = 8000;
        for (int i = 0; i < pieces; i++)
        {
            int piece = direction > 0 ? i : pieces - 1 - i;
            WriteAll(volume, file, (ulong)piece * 2048, BitConverter.GetBytes(piece));
        }

        image.AssertSound();
        byte[] content = ReadAll(volume, file);
        for (int i = 0; i < pieces; i++)
        {
            Assert.Equal(i, BitConverter.ToInt32(content, i * 2048));
        }

        for (ulong size = pieces * 2048; size > 0; size /= 3)
        {
            using (InodeHandle inode = volume.Inodes.Open(file, out _))
            {
                Assert.Equal(Errno.None, volume.Contents.Truncate(inode, size, 0));
            }

            image.AssertSound();
        }

        using InodeHandle last = volume.Inodes.Open(file, out _);
        Assert.Equal(Errno.None, volume.Contents.Truncate(last, 0, 0));
        Assert.Equal(freeBlocks, volume.FreeBlocks);
        image.AssertSound();
    }

    [Fact]
    public void Writing_into_a_full_volume_says_how_much_fitted_and_deleting_makes_room_again()
    {
        using VolumeImage image = new("8M", "-O ^has_journal");
        Volume volume = image.Mount();
        uint file = Create(volume, Geometry.RootInode, "big", FileMode.Regular | 0x1A4);
        ulong total = 0;
        Errno error;
        while (true)
        {
            using InodeHandle inode = volume.Inodes.Open(file, out _);
            error = volume.Contents.Write(inode, total, Pattern.AsSpan(0, 50_000), 0, out uint written);
            total += written;
            if (error != Errno.None)
            {
                break;
            }
        }

        Assert.Equal(Errno.ENOSPC, error);
        Assert.Equal(0ul, volume.FreeBlocks);
        image.AssertSound();
        Assert.Equal(total, (ulong)image.ReadBack("/big").Length);
        NewFile folder = new() { Mode = FileMode.Directory | 0x1ED };
        uint inodes = volume.FreeInodes;
        Assert.Equal(Errno.ENOSPC, volume.Names.Create(Geometry.RootInode, "folder"u8, folder, out _));
        Assert.Equal(inodes, volume.FreeInodes);
        image.AssertSound();

        Assert.Equal(Errno.None, Unlink(volume, Geometry.RootInode, "big", UnlinkKind.File));
        Assert.Equal(Errno.None, volume.Names.Create(Geometry.RootInode, "folder"u8, folder, out _));
        image.AssertSound();
    }

    [Fact]
    public void A_volume_that_resize2fs_has_grown_can_be_filled()
    {
        using VolumeImage image = new("16M", "-b 4096 -O ^has_journal");
        VolumeImage.Run("truncate", $"-s 300M {image.Path}");
        VolumeImage.Run("resize2fs", $"-f {image.Path}");
        Volume volume = image.Mount();
        uint file = Create(volume, Geometry.RootInode, "big", FileMode.Regular | 0x1A4);
        ulong total = 0;
        uint written = 1;
        while (written > 0)
        {
            using InodeHandle inode = volume.Inodes.Open(file, out _);
            volume.Contents.Write(inode, total, Pattern.AsSpan(0, 53_248), 0, out written);
            total += written;
        }

        Assert.Equal(0ul, volume.FreeBlocks);
        Assert.True(total > 250 << 20);
        image.AssertSound();
    }

    [Fact]
    public void A_directory_of_ten_thousand_names_grows_and_shrinks()
    {
        using VolumeImage image = new("64M", "-N 12000");
        Volume volume = image.Mount();
        uint folder = Create(volume, Geometry.RootInode, "folder", FileMode.Directory | 0x1ED);
        for (int i = 0; i < 10_000; i++)
        {
            Create(volume, folder, $"name {i}", FileMode.Regular | 0x1A4);
        }

        image.AssertSound();
        for (int i = 0; i < 10_000; i++)
        {
            Assert.Equal(Errno.None, Unlink(volume, folder, $"name {(i * 7919) % 10_000}", UnlinkKind.File));
        }

        Assert.Equal(Errno.None, Unlink(volume, Geometry.RootInode, "folder", UnlinkKind.Directory));
        image.AssertSound();
    }

    [Fact]
    public void A_hash_tree_directory_is_read_and_becomes_a_list_when_it_changes()
    {
        using VolumeImage image = new("32M", "", folder =>
        {
            for (int i = 0; i < 2000; i++)
            {
                File.WriteAllText(Path.Combine(folder, $"a name of some length {i}"), "");
            }
        });
        VolumeImage.Run("/bin/sh", $"-c \"/sbin/e2fsck -fyD {image.Path} > /dev/null; true\"");
        Assert.Contains("0x1000", image.Debugfs("stat /").Replace("0x81000", "0x1000"));
        Volume volume = image.Mount();
        Find(volume, Geometry.RootInode, "a name of some length 1234");

        Create(volume, Geometry.RootInode, "one more", FileMode.Regular | 0x1A4);
        Assert.Equal(Errno.None, Unlink(volume, Geometry.RootInode, "a name of some length 77", UnlinkKind.File));

        image.AssertSound();
        Assert.DoesNotContain("0x81000", image.Debugfs("stat /"));
        for (int i = 0; i < 2000; i++)
        {
            if (i != 77)
            {
                Find(volume, Geometry.RootInode, $"a name of some length {i}");
            }
        }
    }

    [Fact]
    public void Unwritten_extents_read_as_zeros_and_can_be_written()
    {
        using VolumeImage image = new("16M", "", folder => File.WriteAllText(Path.Combine(folder, "file"), "x"));
        image.DebugfsWrite("fallocate /file 1 200");
        image.DebugfsWrite("set_inode_field /file size 100000");
        Volume volume = image.Mount();
        uint file = Find(volume, Geometry.RootInode, "file");
        Assert.All(ReadAll(volume, file)[1024..], value => Assert.Equal(0, value));

        WriteAll(volume, file, 50_000, "hello"u8.ToArray());

        image.AssertSound();
        byte[] content = image.ReadBack("/file");
        Assert.Equal("hello", Encoding.ASCII.GetString(content, 50_000, 5));
        Assert.Equal(5 + 1, content.Count(value => value != 0));
    }

    [Fact]
    public void A_handle_of_a_deleted_file_is_stale_even_when_its_inode_lives_again()
    {
        using VolumeImage image = new("8M");
        Volume volume = image.Mount();
        uint first = Create(volume, Geometry.RootInode, "first", FileMode.Regular | 0x1A4);
        uint generation;
        using (InodeHandle inode = volume.Inodes.Open(first, out _))
        {
            generation = inode.Record->Generation;
        }

        Assert.Equal(Errno.None, Unlink(volume, Geometry.RootInode, "first", UnlinkKind.File));
        volume.Inodes.OpenStable(first, generation, out Errno gone);
        Assert.Equal(first, Create(volume, Geometry.RootInode, "second", FileMode.Regular | 0x1A4));
        volume.Inodes.OpenStable(first, generation, out Errno reborn);

        Assert.Equal(Errno.ESTALE, gone);
        Assert.Equal(Errno.ESTALE, reborn);
    }

    [Fact]
    public void Shared_attribute_blocks_are_released_one_user_at_a_time()
    {
        using VolumeImage image = new("16M", "", folder =>
        {
            File.WriteAllText(Path.Combine(folder, "one"), "1");
            File.WriteAllText(Path.Combine(folder, "two"), "2");
        });
        string value = new('v', 600);
        image.DebugfsWrite($"ea_set /one user.big {value}");
        Assert.DoesNotContain("File ACL: 0", image.Debugfs("stat /one"));
        Volume volume = image.Mount();

        Assert.Equal(Errno.None, Unlink(volume, Geometry.RootInode, "one", UnlinkKind.File));

        image.AssertSound();
    }

    [Fact]
    public void A_volume_is_marked_unclean_from_the_first_change_until_it_is_synchronised()
    {
        using VolumeImage image = new("8M");
        Volume volume = image.Mount();
        Create(volume, Geometry.RootInode, "first", FileMode.Regular | 0x1A4);
        string changed = VolumeImage.Run("dumpe2fs", $"-h {image.Path}");
        Assert.Equal(Errno.None, volume.Sync());
        string synchronised = VolumeImage.Run("dumpe2fs", $"-h {image.Path}");

        Assert.Contains("not clean", changed);
        Assert.DoesNotContain("not clean", synchronised);
    }

    [Fact]
    public void The_first_write_into_a_large_unwritten_extent_writes_no_more_than_its_blocks()
    {
        using VolumeImage image = new("64M", "-b 4096", folder => File.WriteAllText(Path.Combine(folder, "file"), ""));
        image.DebugfsWrite("fallocate /file 0 8000");
        image.DebugfsWrite("set_inode_field /file size 32000000");
        Volume volume = image.Mount();
        uint file = Find(volume, Geometry.RootInode, "file");
        WriteAll(volume, file, 0, "a"u8.ToArray());
        image.Device.OperationsUntilFailure = 20;
        WriteAll(volume, file, 20_000_000, "hello"u8.ToArray());
        image.Device.OperationsUntilFailure = -1;
        Random random = new(3);
        for (int count = 0; count < 1000; count++)
        {
            WriteAll(volume, file, (ulong)random.Next(7800) * 4096, "x"u8.ToArray());
        }

        WriteAll(volume, file, 0, "b"u8.ToArray());
        image.AssertSound();
        byte[] content = image.ReadBack("/file");
        Assert.Equal((byte)'b', content[0]);
        Assert.All(content.Where(value => value != 0), value => Assert.Contains(value, "bxhelo"u8.ToArray()));
    }

    [Fact]
    public void The_device_is_asked_for_stable_storage_only_when_something_was_changed()
    {
        using VolumeImage image = new("8M");
        Create(image.Mount(), Geometry.RootInode, "first", FileMode.Regular | 0x1A4);
        Assert.Equal(Errno.None, image.Volume.Flush());
        int flushes = image.Device.Flushes;
        Assert.NotEqual(0, flushes);
        Assert.Equal(Errno.None, image.Volume.Flush());
        Assert.Equal(flushes, image.Device.Flushes);
        Create(image.Volume, Geometry.RootInode, "second", FileMode.Regular | 0x1A4);
        Assert.Equal(Errno.None, image.Volume.Flush());
        Assert.Equal(flushes + 1, image.Device.Flushes);
    }

    [Fact]
    public void A_volume_that_was_not_clean_when_it_was_mounted_is_not_called_clean_before_e2fsck_has_seen_it()
    {
        using VolumeImage image = new("8M");
        Create(image.Mount(), Geometry.RootInode, "first", FileMode.Regular | 0x1A4);
        Assert.Equal(Errno.None, image.Volume.Flush());

        Create(image.Mount(), Geometry.RootInode, "second", FileMode.Regular | 0x1A4);
        Assert.Equal(Errno.None, image.Volume.Sync());
        Assert.False(image.Volume.IsChanged);
        image.Unmount();
        Assert.Contains("not clean", image.Debugfs("stats"));

        VolumeImage.Repair(image.Path);
        Create(image.Mount(), Geometry.RootInode, "third", FileMode.Regular | 0x1A4);
        Assert.Equal(Errno.None, image.Volume.Sync());
        Assert.DoesNotContain("not clean", image.Debugfs("stats"));
        image.AssertSound();
    }

    [Theory]
    [InlineData("-O inline_data")]
    [InlineData("-O bigalloc")]
    [InlineData("-O meta_bg,^resize_inode")]
    public void Volumes_with_unknown_features_are_refused(string options)
    {
        using VolumeImage image = new("64M", options);

        Assert.Equal(Errno.EOPNOTSUPP, image.TryMount());
    }

    internal static uint Find(Volume volume, uint directory, string name)
    {
        using InodeHandle inode = volume.Inodes.Open(directory, out Errno error);
        Assert.Equal(Errno.None, error);
        error = volume.Directories.Find(inode, Encoding.UTF8.GetBytes(name), out uint number, out _);
        Assert.True(error == Errno.None, $"{name}: {error}");
        return number;
    }

    internal static uint Create(Volume volume, uint directory, string name, uint mode, string target = "", uint device = 0)
    {
        NewFile file = new() { Mode = mode, Target = Encoding.UTF8.GetBytes(target), DeviceNumber = device };
        Errno error = volume.Names.Create(directory, Encoding.UTF8.GetBytes(name), file, out uint number);
        Assert.True(error == Errno.None, $"{name}: {error}");
        return number;
    }

    internal static Errno Unlink(Volume volume, uint directory, string name, UnlinkKind kind) =>
        volume.Names.Unlink(directory, Encoding.UTF8.GetBytes(name), kind, out _);

    internal static void WriteAll(Volume volume, uint file, ulong offset, byte[] data)
    {
        for (int done = 0; done < data.Length;)
        {
            using InodeHandle inode = volume.Inodes.Open(file, out _);
            int part = Math.Min(data.Length - done, 50_000);
            Errno error = volume.Contents.Write(inode, offset + (ulong)done, data.AsSpan(done, part), Clock.UnixTimeNs(), out uint written);
            Assert.Equal(Errno.None, error);
            Assert.Equal((uint)part, written);
            done += part;
        }
    }

    internal static byte[] ReadAll(Volume volume, uint file)
    {
        using MemoryStream content = new();
        while (true)
        {
            using InodeHandle inode = volume.Inodes.Open(file, out _);
            Assert.Equal(Errno.None, volume.Contents.Read(inode, (ulong)content.Length, 50_000, out ReadOnlySpan<byte> data));
            if (data.Length == 0)
            {
                return content.ToArray();
            }

            content.Write(data);
        }
    }

    private static string ReadTarget(Volume volume, uint link)
    {
        using InodeHandle inode = volume.Inodes.Open(link, out _);
        Assert.Equal(Errno.None, volume.Files.ReadTarget(inode, out ReadOnlySpan<byte> target));
        return Encoding.UTF8.GetString(target);
    }
}
