// What a storage monitor answers, message by message: the rules that the random test does not reach.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;
using FileAttributes = Lego.Fabric.Messages.FileAttributes;
using FileMode = Lego.Kernel.FileMode;

namespace Lego.Tests.Storage;

public sealed class StorageMonitorTests : IDisposable
{
    private readonly VolumeImage _image = new("16M");
    private readonly StorageFixture _storage;

    public StorageMonitorTests()
    {
        _storage = new StorageFixture(_image);
    }

    public void Dispose()
    {
        _storage.Dispose();
        _image.Dispose();
    }

    [Fact]
    public void Open_replies_with_the_path_without_links_and_dots()
    {
        MakeDirectories("/usr", "/usr/bin", "/home");
        Assert.Equal(Errno.None, _storage.MakeNode("/bin", FileMode.SymbolicLink | 0x1FF, "usr/bin"));
        Assert.Equal(Errno.None, _storage.MakeNode("/home/abs", FileMode.SymbolicLink | 0x1FF, "/usr/./bin/../bin/sh"));

        Assert.Equal(Errno.None, _storage.Open("//bin/../bin/sh", PathFlags.Create, out _, out string canonical, out bool created));
        Assert.True(created);
        Assert.Equal("/usr/bin/sh", canonical);
        Assert.Equal(Errno.None, _storage.Open("/home/abs", PathFlags.None, out _, out canonical, out created));
        Assert.False(created);
        Assert.Equal("/usr/bin/sh", canonical);
        Assert.Equal(Errno.None, _storage.Open("/home/../home/abs", PathFlags.NoFollow, out _, out canonical, out _));
        Assert.Equal("/home/abs", canonical);
        Assert.Equal(Errno.None, _storage.Open("/usr/..", PathFlags.None, out _, out canonical, out _));
        Assert.Equal("/", canonical);
        Assert.Equal(Errno.None, _storage.Open("/../..", PathFlags.Directory, out _, out canonical, out _));
        Assert.Equal("/", canonical);
    }

    [Fact]
    public void Creating_through_a_dangling_link_makes_its_target_unless_exclusive()
    {
        Assert.Equal(Errno.None, _storage.MakeNode("/link", FileMode.SymbolicLink | 0x1FF, "target"));

        Assert.Equal(Errno.EEXIST, _storage.Open("/link", PathFlags.Create | PathFlags.Exclusive, out _));
        Assert.Equal(Errno.ENOENT, _storage.Open("/link", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Open("/link", PathFlags.Create, out _, out string canonical, out bool created));

        Assert.True(created);
        Assert.Equal("/target", canonical);
    }

    [Fact]
    public void Forty_links_are_followed_and_forty_one_are_a_loop()
    {
        Assert.Equal(Errno.None, _storage.Open("/0", PathFlags.Create, out _));
        for (int i = 1; i <= 41; i++)
        {
            Assert.Equal(Errno.None, _storage.MakeNode($"/{i}", FileMode.SymbolicLink | 0x1FF, $"{i - 1}"));
        }

        Assert.Equal(Errno.None, _storage.Open("/40", PathFlags.None, out _));
        Assert.Equal(Errno.ELOOP, _storage.Open("/41", PathFlags.None, out _));
    }

    [Fact]
    public void The_root_and_dots_cannot_be_removed_or_renamed()
    {
        MakeDirectories("/d", "/d/e");

        Assert.Equal(Errno.EBUSY, _storage.Unlink("/", PathFlags.Directory, out _));
        Assert.Equal(Errno.EISDIR, _storage.Unlink("/", PathFlags.None, out _));
        Assert.Equal(Errno.EINVAL, _storage.Unlink("/d/.", PathFlags.Directory, out _));
        Assert.Equal(Errno.ENOTEMPTY, _storage.Unlink("/d/e/..", PathFlags.Directory, out _));
        Assert.Equal(Errno.EBUSY, _storage.Rename("/d/.", "/x", PathFlags.None, out _));
        Assert.Equal(Errno.EBUSY, _storage.Rename("/d", "/", PathFlags.None, out _));
        Assert.Equal(Errno.EEXIST, _storage.MakeNode("/", FileMode.Directory | 0x1ED));
    }

    [Fact]
    public void Rename_says_which_file_it_replaced_and_keeps_it_when_asked()
    {
        Assert.Equal(Errno.None, _storage.Open("/a", PathFlags.Create, out _));
        Assert.Equal(Errno.None, _storage.Open("/b", PathFlags.Create, out FileAttributes replaced));
        Assert.Equal(Errno.None, _storage.Link("/b", "/c"));

        Assert.Equal(Errno.EEXIST, _storage.Rename("/a", "/b", PathFlags.NoReplace, out _));
        Assert.Equal(Errno.None, _storage.Rename("/a", "/b", PathFlags.None, out RenameReply first));
        Assert.Equal(Errno.None, _storage.Rename("/b", "/c", PathFlags.None, out RenameReply second));
        Assert.Equal(Errno.None, _storage.Rename("/c", "/d", PathFlags.None, out RenameReply third));

        Assert.Equal((replaced.Handle, 1u), (first.Replaced, first.ReplacedLinksLeft));
        Assert.Equal((replaced.Handle, 0u), (second.Replaced, second.ReplacedLinksLeft));
        Assert.Equal(0u, third.Replaced.Inode);
        Assert.Equal(Errno.ESTALE, _storage.Read("/d", replaced.Handle, 0, 10, out _));
    }

    [Fact]
    public void A_known_path_is_not_remembered_past_a_rename_of_a_directory_above_it()
    {
        MakeDirectories("/a", "/a/b", "/n", "/n/b");
        Assert.Equal(Errno.None, _storage.Open("/a/b/f", PathFlags.Create, out FileAttributes old));
        Assert.Equal(Errno.None, _storage.Open("/n/b/f", PathFlags.Create, out FileAttributes other));
        Assert.Equal(Errno.None, _storage.Open("/a/b/f", PathFlags.None, out _));

        Assert.Equal(Errno.None, _storage.Rename("/a", "/moved", PathFlags.None, out _));
        Assert.Equal(Errno.ENOENT, _storage.Open("/a/b/f", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Rename("/n", "/a", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Open("/a/b/f", PathFlags.None, out FileAttributes now));
        Assert.Equal(Errno.None, _storage.Open("/moved/b/f", PathFlags.None, out FileAttributes moved));

        Assert.Equal(other.Handle, now.Handle);
        Assert.Equal(old.Handle, moved.Handle);
        Assert.Equal(Errno.None, _storage.Unlink("/a/b/f", PathFlags.None, out UnlinkReply lost));
        Assert.Equal((other.Handle, 0u), (lost.Handle, lost.LinksLeft));
        Assert.Equal(Errno.ENOENT, _storage.Open("/a/b/f", PathFlags.None, out _));
    }

    [Fact]
    public void A_rename_of_a_directory_keeps_its_thousand_files()
    {
        MakeDirectories("/d", "/e");
        for (int i = 0; i < 1000; i++)
        {
            Assert.Equal(Errno.None, _storage.Open($"/d/file {i}", PathFlags.Create, out _));
        }

        Assert.Equal(Errno.None, _storage.Rename("/d", "/e/d", PathFlags.None, out _));

        List<ListedName> names = [];
        Assert.Equal(Errno.None, _storage.List("/e/d", names, 500));
        Assert.Equal(1002, names.Count);
        Assert.Equal(1002, names.Select(entry => entry.Name).Distinct().Count());
        _image.AssertSound();
    }

    [Fact]
    public void A_listing_shows_every_file_once_while_files_are_removed()
    {
        MakeDirectories("/d");
        for (int i = 0; i < 500; i++)
        {
            Assert.Equal(Errno.None, _storage.Open($"/d/{new string('x', i % 40)}{i}", PathFlags.Create, out _));
        }

        List<ListedName> names = [];
        Assert.Equal(Errno.None, _storage.List("/d", names, 200, entry =>
        {
            if (entry.Name is not ("." or ".."))
            {
                Assert.Equal(Errno.None, _storage.Unlink($"/d/{entry.Name}", PathFlags.None, out _));
            }
        }));

        Assert.Equal(502, names.Count);
        Assert.Equal(Errno.None, _storage.Unlink("/d", PathFlags.Directory, out _));
        _image.AssertSound();
    }

    [Fact]
    public void Appends_go_to_the_end_and_replies_count_the_free_space()
    {
        Assert.Equal(Errno.None, _storage.Open("/log", PathFlags.Create, out FileAttributes file));
        Assert.Equal(Errno.None, _storage.Write("/log", file.Handle, 0, new byte[100], out FileWriteReply first));
        Assert.Equal(Errno.None, _storage.Write("/log", file.Handle, 5, new byte[2000], out FileWriteReply second, FileWriteFlags.Append));

        Assert.Equal((0ul, 100ul, 100u), (first.Offset, first.Size, first.Written));
        Assert.Equal((100ul, 2100ul, 2000u), (second.Offset, second.Size, second.Written));
        Assert.Equal(first.VolumeFreeBytes - 2048, second.VolumeFreeBytes);
        Assert.Equal(Errno.None, _storage.VolumeStatus("/log", out VolumeStatusReply status));
        Assert.Equal(second.VolumeFreeBytes, status.FreeBlocks * status.BlockSize);
    }

    [Fact]
    public void A_full_volume_takes_what_fits_and_says_so()
    {
        Assert.Equal(Errno.None, _storage.Open("/big", PathFlags.Create, out FileAttributes file));
        ulong free;
        FileWriteReply reply;
        do
        {
            Assert.Equal(Errno.None, _storage.Write("", file.Handle, 0, new byte[50_000], out reply, FileWriteFlags.Append));
            free = reply.VolumeFreeBytes;
        }
        while (reply.Written == 50_000);

        Assert.Equal(0ul, free);
        Assert.Equal(Errno.ENOSPC, _storage.Write("", file.Handle, 0, new byte[50_000], out reply, FileWriteFlags.Append));
        Assert.Equal(0ul, reply.VolumeFreeBytes);
        Assert.Equal(Errno.None, _storage.Write("", file.Handle, 0, new byte[50_000], out reply));
        Assert.Equal(Errno.None, _storage.Truncate("", file.Handle, 0, out FileAttributes empty));
        Assert.Equal((0ul, 0ul), (empty.Size, empty.Blocks));
        _image.AssertSound();
    }

    [Fact]
    public void Contents_belong_to_regular_files_only()
    {
        MakeDirectories("/d");
        Assert.Equal(Errno.None, _storage.MakeNode("/pipe", FileMode.Fifo | 0x1A4));

        Assert.Equal(Errno.EISDIR, _storage.Read("/d", default, 0, 10, out _));
        Assert.Equal(Errno.EINVAL, _storage.Read("/pipe", default, 0, 10, out _));
        Assert.Equal(Errno.ENOENT, _storage.Read("/none", default, 0, 10, out _));
        Assert.Equal(Errno.ESTALE, _storage.Read("/d", new FileHandle { Inode = 7777777 }, 0, 10, out _));
        Assert.Equal(Errno.EFBIG, _storage.Truncate(NewFile("/f"), default, ulong.MaxValue, out _));
        Assert.Equal(Errno.EFBIG, _storage.Write("/f", default, ulong.MaxValue - 3, new byte[10], out _));
    }

    [Fact]
    public void Attributes_change_as_asked()
    {
        SetAttributesRequest change = new()
        {
            Mask = AttributeMask.Mode | AttributeMask.UserId | AttributeMask.GroupId | AttributeMask.AccessTime | AttributeMask.ModifyTime,
            Mode = 0x1FF | FileMode.Directory,
            UserId = 100_000,
            GroupId = 200_000,
            AccessTimeNs = 1_000_000_001,
            ModifyTimeNs = 5_000_000_000_000_000_007,
        };
        Assert.Equal(Errno.None, _storage.SetAttributes(NewFile("/f"), change, out FileAttributes now));

        Assert.Equal(FileMode.Regular | 0x1FF, now.Mode);
        Assert.Equal((100_000u, 200_000u), (now.UserId, now.GroupId));
        Assert.Equal((1_000_000_001ul, 5_000_000_000_000_000_007ul), (now.AccessTimeNs, now.ModifyTimeNs));
        _image.AssertSound();
    }

    [Fact]
    public void Users_other_than_root_are_held_to_the_permission_bits()
    {
        MakeDirectories("/open", "/sticky");
        SetMode("/open", 0x1FF);
        SetMode("/sticky", 0x3FF);
        NewFile("/sticky/roots");
        NewFile("/secret");
        SetMode("/secret", 0x180);
        _storage.User = 1000;

        Assert.Equal(Errno.EACCES, _storage.Open("/new", PathFlags.Create, out _));
        Assert.Equal(Errno.EACCES, _storage.Open("/secret", PathFlags.None, out _, access: 4));
        Assert.Equal(Errno.None, _storage.Open("/secret", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Open("/open/mine", PathFlags.Create, out FileAttributes mine));
        Assert.Equal(1000u, mine.UserId);
        Assert.Equal(Errno.EPERM, _storage.Unlink("/sticky/roots", PathFlags.None, out _));
        Assert.Equal(Errno.EPERM, _storage.SetAttributes("/secret", new SetAttributesRequest { Mask = AttributeMask.Mode }, out _));
        Assert.Equal(Errno.EPERM, _storage.MakeNode("/open/null", FileMode.CharacterDevice | 0x1B6, device: 0x103));
        Assert.Equal(Errno.None, _storage.Unlink("/open/mine", PathFlags.None, out _));
    }

    [Fact]
    public void Recently_walked_paths_are_found_without_a_walk()
    {
        MakeDirectories("/d");
        NewFile("/d/f");
        StringBuilder text = new();
        Report(text);
        for (int i = 0; i < 10; i++)
        {
            Assert.Equal(Errno.None, _storage.Open("/d/f", PathFlags.None, out _));
        }

        string before = Line(text, "storage.paths.hits");
        Report(text);
        Assert.Equal(ulong.Parse(before) + 10, ulong.Parse(Line(text, "storage.paths.hits")));
    }

    [Theory]
    [InlineData("", 15_032_385_535)]
    [InlineData("-I 128", int.MaxValue)]
    public void Times_from_1901_to_the_end_of_the_volumes_range_are_kept(string options, long last)
    {
        using VolumeImage image = new("16M", options);
        using StorageFixture storage = new(image);
        Assert.Equal(Errno.None, storage.Open("/f", PathFlags.Create, out _));
        foreach (long seconds in new[] { -2, -1_000_000_000, int.MinValue, int.MaxValue, 2_147_483_648L, 10_000_000_000, 15_032_385_535,
            long.MaxValue })
        {
            // The first and the last second have no parts, as in Linux.
            uint nanoseconds = options.Length == 0 && seconds < last && seconds > int.MinValue ? 123_456_789u : 0;
            SetAttributesRequest change = new() { Mask = AttributeMask.AccessTime | AttributeMask.ModifyTime };
            change.AccessTimeNs = FileTime.Of(seconds, nanoseconds);
            change.ModifyTimeNs = FileTime.Of(long.Min(seconds, last) - 1, nanoseconds);
            Assert.Equal(Errno.None, storage.SetAttributes("/f", change, out FileAttributes attributes));
            Assert.Equal((long.Min(seconds, last), nanoseconds),
                (FileTime.SecondsOf(attributes.AccessTimeNs), FileTime.NanosecondsOf(attributes.AccessTimeNs)));
            Assert.Equal(long.Max(long.Min(seconds, last) - 1, int.MinValue), FileTime.SecondsOf(attributes.ModifyTimeNs));
        }

        image.AssertSound();
    }

    [Fact]
    public void Owners_and_writers_may_change_what_Linux_lets_them_change()
    {
        const uint user = 7;
        Assert.Equal(Errno.None, _storage.Open("/own", PathFlags.Create, out _, mode: 0x1A4));
        Assert.Equal(Errno.None,
            Set("/own", new() { Mask = AttributeMask.UserId | AttributeMask.GroupId, UserId = user, GroupId = 9 }, out _));
        Assert.Equal(Errno.None, _storage.Open("/public", PathFlags.Create, out _, mode: 0x1B6));
        SetAttributesRequest touch = new() { Mask = AttributeMask.AccessTime | AttributeMask.ModifyTime | AttributeMask.Touch };
        SetAttributesRequest times = new() { Mask = AttributeMask.AccessTime | AttributeMask.ModifyTime };

        _storage.User = user;
        Assert.Equal(Errno.None, Set("/own", new() { Mask = AttributeMask.UserId, UserId = user }, out _));
        Assert.Equal(Errno.EPERM, Set("/own", new() { Mask = AttributeMask.UserId, UserId = 0 }, out _));
        Assert.Equal(Errno.EPERM, Set("/own", new() { Mask = AttributeMask.GroupId, GroupId = 8 }, out _));
        Assert.Equal(Errno.None, Set("/own", new() { Mask = AttributeMask.Mode, Mode = 0x5ED }, out FileAttributes attributes));
        Assert.Equal(0x1EDu, attributes.Mode & FileMode.PermissionMask);
        Assert.Equal(Errno.None, Set("/own", new() { Mask = AttributeMask.GroupId, GroupId = user }, out attributes));
        Assert.Equal(user, attributes.GroupId);
        Assert.Equal(Errno.None, Set("/own", new() { Mask = AttributeMask.Mode, Mode = 0xDED }, out attributes));
        Assert.Equal(0xDEDu, attributes.Mode & FileMode.PermissionMask);
        Assert.Equal(Errno.None, Set("/own", default, out attributes));
        Assert.Equal(0x1EDu, attributes.Mode & FileMode.PermissionMask);
        Assert.Equal(Errno.None, Set("/public", touch, out _));
        Assert.Equal(Errno.EPERM, Set("/public", times, out _));
        _storage.User = 8;
        Assert.Equal(Errno.EACCES, Set("/own", touch, out _));
    }

    [Fact]
    public void Set_id_bits_go_with_new_contents_of_somebody_without_privileges()
    {
        Assert.Equal(Errno.None, _storage.Open("/f", PathFlags.Create, out _, mode: 0x1FF));
        Assert.Equal(Errno.None, Set("/f", new() { Mask = AttributeMask.Mode, Mode = 0xDFF }, out _));
        _storage.User = 7;
        Assert.Equal(Errno.None, Set("/f", new() { Mask = AttributeMask.DropSetId }, out FileAttributes attributes));
        Assert.Equal(0x1FFu, attributes.Mode & FileMode.PermissionMask);
    }

    [Fact]
    public void A_directory_that_the_caller_may_not_write_gets_no_other_parent()
    {
        const uint user = 7;
        MakeDirectories("/a", "/b", "/a/theirs", "/a/own");
        foreach (string path in new[] { "/a", "/b", "/a/own" })
        {
            Assert.Equal(Errno.None,
                Set(path, new() { Mask = AttributeMask.UserId | AttributeMask.GroupId, UserId = user, GroupId = user }, out _));
        }

        _storage.User = user;
        Assert.Equal(Errno.EACCES, _storage.Rename("/a/theirs", "/b/theirs", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Rename("/a/theirs", "/a/renamed", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Rename("/a/own", "/b/own", PathFlags.None, out _));
    }

    [Fact]
    public void Immutable_and_append_only_files_are_not_opened_for_other_writing_and_keep_their_names()
    {
        foreach (string name in new[] { "/frozen", "/log" })
        {
            Assert.Equal(Errno.None, _storage.Open(name, PathFlags.Create, out _));
        }

        Assert.Equal(Errno.None, _storage.Sync());
        _image.Unmount();
        _image.DebugfsWrite("set_inode_field /frozen flags 0x80010");
        _image.DebugfsWrite("set_inode_field /log flags 0x80020");
        using StorageFixture storage = new(_image);
        Assert.Equal(Errno.EPERM, storage.Open("/frozen", PathFlags.None, out _, access: 2));
        Assert.Equal(Errno.EPERM, storage.Open("/frozen", PathFlags.Append, out _, access: 2));
        Assert.Equal(Errno.None, storage.Open("/frozen", PathFlags.None, out _, access: 4));
        Assert.Equal(Errno.EPERM, storage.Open("/log", PathFlags.None, out _, access: 2));
        Assert.Equal(Errno.None, storage.Open("/log", PathFlags.Append, out FileAttributes log, access: 2));
        Assert.Equal(Errno.EPERM, storage.Truncate("/log", log.Handle, 0, out _));
        foreach (string name in new[] { "/frozen", "/log" })
        {
            Assert.Equal(Errno.EPERM, storage.Rename(name, "/other", PathFlags.None, out _));
            Assert.Equal(Errno.EPERM, storage.Link(name, "/other"));
            Assert.Equal(Errno.EPERM, storage.Unlink(name, PathFlags.None, out _));
        }
    }

    [Fact]
    public void Damage_that_a_request_meets_is_recorded_and_the_volume_stays_unclean()
    {
        MakeDirectories("/d");
        Assert.Equal(Errno.None, _storage.Sync());
        Assert.Equal(Errno.None, _storage.VolumeStatus("/", out VolumeStatusReply status));
        long blockBytes = (long)status.BlockSize;
        _image.Unmount();
        long block = _image.Debugfs("blocks /d").Split('\n').Select(line => long.TryParse(line, out long number) ? number : 0).Max();
        using (System.IO.FileStream file = System.IO.File.OpenWrite(_image.Path))
        {
            file.Position = block * blockBytes;
            file.Write([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        }

        using StorageFixture storage = new(_image);
        Assert.Equal(Errno.EUCLEAN, storage.Open("/d/f", PathFlags.Create, out _));
        Assert.Equal(Errno.None, storage.Open("/elsewhere", PathFlags.Create, out _));
        Assert.Equal(Errno.None, storage.Monitor.ShutDown());
        string stats = _image.Debugfs("stats");
        Assert.Contains("not clean", stats);
        Assert.Contains("with errors", stats);
        VolumeImage.Repair(_image.Path);
        _image.Mount();
        _image.AssertSound();
    }

    [Fact]
    public void Requests_with_wrong_lengths_get_an_error()
    {
        Random random = new(7);
        Opcode[] opcodes =
        [
            Opcode.Open, Opcode.MakeNode, Opcode.Unlink, Opcode.Rename, Opcode.Link, Opcode.ReadLink, Opcode.ReadDirectory,
            Opcode.SetAttributes, Opcode.VolumeStatus, Opcode.StorageRead, Opcode.StorageWrite, Opcode.StorageTruncate,
            Opcode.StorageStatus, (Opcode)0x04FF,
        ];
        foreach (Opcode opcode in opcodes)
        {
            Assert.NotEqual(Errno.None, _storage.CallRaw(opcode, []));
            for (int i = 0; i < 300; i++)
            {
                byte[] body = new byte[random.Next(200)];
                random.NextBytes(body);
                _storage.CallRaw(opcode, body);
            }
        }

        _image.AssertSound();
    }

    private static string Line(StringBuilder report, string name) =>
        report.ToString().Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1];

    private void Report(StringBuilder text)
    {
        StatisticsWriter writer = new(new byte[4096]);
        _storage.Monitor.Report(ref writer);
        text.Clear().Append(Encoding.ASCII.GetString(writer.Text));
    }

    private Errno Set(string path, SetAttributesRequest change, out FileAttributes attributes) =>
        _storage.SetAttributes(path, change, out attributes);

    private void MakeDirectories(params string[] paths)
    {
        foreach (string path in paths)
        {
            Assert.Equal(Errno.None, _storage.MakeNode(path, FileMode.Directory | 0x1ED));
        }
    }

    private string NewFile(string path)
    {
        Assert.Equal(Errno.None, _storage.Open(path, PathFlags.Create, out _));
        return path;
    }

    private void SetMode(string path, uint mode) =>
        Assert.Equal(Errno.None, _storage.SetAttributes(path, new SetAttributesRequest { Mask = AttributeMask.Mode, Mode = mode }, out _));
}
