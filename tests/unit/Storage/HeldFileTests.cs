// Files that somebody holds outlive their names, and nothing of them is left when the holder lets go, is gone, or the machine loses power.

using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;
using FileAttributes = Lego.Fabric.Messages.FileAttributes;
using FileMode = Lego.Kernel.FileMode;

namespace Lego.Tests.Storage;

public sealed class HeldFileTests : System.IDisposable
{
    private readonly VolumeImage _image = new("16M");
    private StorageFixture _storage;

    public HeldFileTests()
    {
        _storage = new StorageFixture(_image);
    }

    public void Dispose()
    {
        _storage.Dispose();
        _image.Dispose();
    }

    [Fact]
    public void A_held_file_without_a_name_is_read_and_written_until_its_last_release()
    {
        ulong free = FreeInodes();
        FileHandle handle = Create("/f", PathFlags.Hold);
        Assert.Equal(Errno.None, _storage.Open("/f", PathFlags.Hold, out _));
        Assert.Equal(Errno.None, _storage.Write("/f", handle, 0, new byte[100_000 / 2], out _));

        Assert.Equal(Errno.None, _storage.Unlink("/f", PathFlags.None, out UnlinkReply lost));
        Assert.Equal((0u, LostNameFlags.LivesOn), (lost.LinksLeft, lost.Flags));
        Assert.Equal(Errno.ENOENT, _storage.Open("/f", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Write("", handle, 70_000, Encoding.ASCII.GetBytes("tail"), out _));
        Assert.Equal(Errno.None, _storage.Read("", handle, 70_000, 10, out byte[] read));
        Assert.Equal("tail", Encoding.ASCII.GetString(read));
        Assert.Equal(Errno.None, _storage.Status("", handle, out FileAttributes attributes));
        Assert.Equal((0u, 70_004UL), (attributes.Links, attributes.Size));

        Assert.Equal([0u], _storage.Release((handle, 1)));
        Assert.Equal(Errno.None, _storage.Status("", handle, out _));
        Assert.Equal([1u], _storage.Release((handle, 1)));
        Assert.Equal(Errno.ESTALE, _storage.Status("", handle, out _));
        Assert.Equal([0u], _storage.Release((handle, 1)));
        Assert.Equal(free, FreeInodes());
        _image.AssertSound();
    }

    [Fact]
    public void A_file_without_a_name_gets_one_or_goes_with_its_last_release()
    {
        ulong free = FreeInodes();
        Assert.Equal(Errno.None, _storage.Open("/", PathFlags.Nameless | PathFlags.Hold, out FileAttributes named));
        Assert.Equal(Errno.None, _storage.Open("/", PathFlags.Nameless | PathFlags.Hold, out FileAttributes gone));
        Assert.Equal(
            Errno.None, _storage.Open("/", PathFlags.Nameless | PathFlags.Hold | PathFlags.Exclusive, out FileAttributes nameless));
        Assert.Equal((0u, 0u), (named.Links, nameless.Links));
        Assert.Equal(Errno.None, _storage.Write("", named.Handle, 0, Encoding.ASCII.GetBytes("text"), out _));

        Assert.Equal(Errno.None, _storage.LinkHandle(named.Handle, "/name"));
        Assert.Equal(Errno.EEXIST, _storage.LinkHandle(named.Handle, "/name"));
        Assert.Equal(Errno.ENOENT, _storage.LinkHandle(nameless.Handle, "/other"));
        Assert.Equal([0u], _storage.Release((named.Handle, 1)));
        Assert.Equal([1u], _storage.Release((gone.Handle, 1)));
        Assert.Equal([1u], _storage.Release((nameless.Handle, 1)));
        Assert.Equal("text", Encoding.ASCII.GetString(_storage.ReadAll("/name")));
        Assert.Equal(free - 1, FreeInodes());

        Assert.Equal(Errno.None, _storage.Open("/", PathFlags.Nameless | PathFlags.Hold, out FileAttributes lost));
        Assert.Equal(Errno.None, _storage.Open("/name", PathFlags.Hold, out _));
        Assert.Equal(Errno.None, _storage.Unlink("/name", PathFlags.None, out _));
        Assert.Equal(Errno.ENOENT, _storage.LinkHandle(named.Handle, "/again"));
        Assert.Equal([1u], _storage.Release((named.Handle, 1)));
        Assert.Equal([1u], _storage.Release((lost.Handle, 1)));
        Assert.Equal(free, FreeInodes());
        _image.AssertSound();
    }

    [Fact]
    public void A_rename_that_leaves_a_mark_leaves_one_and_no_inode_when_it_fails()
    {
        ulong free = FreeInodes();
        Create("/a", PathFlags.None);
        Create("/b", PathFlags.None);
        Assert.Equal(Errno.None, _storage.Rename("/a", "/c", PathFlags.Whiteout, out _));
        Assert.Equal(Errno.EEXIST, _storage.Rename("/b", "/c", PathFlags.Whiteout | PathFlags.NoReplace, out _));
        Assert.Equal(Errno.None, _storage.Open("/a", PathFlags.NoFollow, out FileAttributes mark));
        Assert.Equal((FileMode.CharacterDevice, 0u, 1u), (mark.Mode, mark.DeviceNumber, mark.Links));
        Assert.Equal(free - 3, FreeInodes());
        Assert.Equal(Errno.None, _storage.Link("/b", "/d"));
        Assert.Equal(Errno.None, _storage.Rename("/b", "/d", PathFlags.Whiteout, out _));
        Assert.Equal(free - 3, FreeInodes());
        _image.AssertSound();
    }

    [Fact]
    public void Renaming_over_a_held_file_keeps_it_and_an_unheld_one_goes()
    {
        FileHandle held = Create("/held", PathFlags.Hold);
        FileHandle other = Create("/other", PathFlags.None);
        Create("/a", PathFlags.None);
        Create("/b", PathFlags.None);

        Assert.Equal(Errno.None, _storage.Rename("/a", "/held", PathFlags.None, out RenameReply first));
        Assert.Equal(Errno.None, _storage.Rename("/b", "/other", PathFlags.None, out RenameReply second));
        Assert.Equal((held, LostNameFlags.LivesOn), (first.Replaced, first.Flags));
        Assert.Equal((other, LostNameFlags.None), (second.Replaced, second.Flags));
        Assert.Equal(Errno.None, _storage.Status("", held, out _));
        Assert.Equal(Errno.ESTALE, _storage.Status("", other, out _));

        Assert.Equal([1u], _storage.Release((held, 1)));
        _image.AssertSound();
    }

    [Fact]
    public void A_request_whose_sender_departs_while_it_waits_for_the_lock_holds_nothing()
    {
        Create("/f", PathFlags.None);
        _storage.DepartWithinNextRequest();
        Assert.Equal(Errno.EHOSTDOWN, _storage.Open("/f", PathFlags.Hold, out _));
        Assert.Equal(Errno.None, _storage.Monitor.Sync());
        Assert.Equal(0u, _storage.Counter("storage.held_files"));
        _image.AssertSound();
    }

    [Fact]
    public void Orphans_leave_the_list_in_any_order()
    {
        FileHandle[] handles = [.. Enumerable.Range(0, 6).Select(number => Create($"/{number}", PathFlags.Hold))];
        Assert.All(Enumerable.Range(0, 6), number => Assert.Equal(Errno.None, _storage.Unlink($"/{number}", PathFlags.None, out _)));
        foreach (int number in new[] { 3, 0, 5, 1, 2, 4 })
        {
            Assert.Equal([1u], _storage.Release((handles[number], 1)));
        }

        _image.AssertSound();
    }

    [Fact]
    public void Attributes_of_a_file_without_a_name_are_changed_by_its_handle()
    {
        FileHandle handle = Create("/f", PathFlags.Hold);
        Assert.Equal(Errno.None, _storage.Unlink("/f", PathFlags.None, out _));
        SetAttributesRequest change = new() { Mask = AttributeMask.Mode, Mode = 0x180 };
        change.Path.Handle = handle;

        Assert.Equal(Errno.None, _storage.SetAttributes("/f", change, out FileAttributes attributes));
        Assert.Equal(FileMode.Regular | 0x180, attributes.Mode);
        Assert.Equal(Errno.None, _storage.OpenHandle(handle, 6, out _));
        _storage.User = 7;
        Assert.Equal(Errno.EACCES, _storage.OpenHandle(handle, 4, out _));
        _storage.User = 0;
        Assert.Equal([1u], _storage.Release((handle, 1)));
        Assert.Equal(Errno.ESTALE, _storage.OpenHandle(handle, 0, out _));
    }

    [Fact]
    public void A_removed_directory_that_is_held_lists_nothing()
    {
        Assert.Equal(Errno.None, _storage.MakeNode("/d", FileMode.Directory | 0x1ED));
        Assert.Equal(Errno.None, _storage.Open("/d", PathFlags.Hold, out FileAttributes directory));
        Assert.Equal(Errno.None, _storage.Unlink("/d", PathFlags.Directory, out UnlinkReply lost));
        Assert.Equal(LostNameFlags.LivesOn, lost.Flags);
        Assert.Equal(Errno.None, _storage.MakeNode("/d", FileMode.Directory | 0x1ED));
        List<ListedName> names = [];

        Assert.Equal(Errno.None, _storage.List("/d", names, handle: directory.Handle));
        Assert.Empty(names);
        Assert.Equal([1u], _storage.Release((directory.Handle, 1)));
        Assert.Equal(Errno.ESTALE, _storage.List("/d", names, handle: directory.Handle));
        _image.AssertSound();
    }

    [Fact]
    public void What_a_departed_component_held_is_freed()
    {
        ulong free = FreeInodes();
        FileHandle handle = Create("/f", PathFlags.Hold);
        FileHandle named = Create("/named", PathFlags.Hold);
        Assert.Equal(Errno.None, _storage.Unlink("/f", PathFlags.None, out _));

        _storage.Monitor.Departed(StorageFixture.ClientNode);
        Assert.Equal(Errno.ESTALE, _storage.Status("", handle, out _));
        Assert.Equal(Errno.None, _storage.Status("", named, out _));
        Assert.Equal(free - 1, FreeInodes());
        _image.AssertSound();
    }

    [Theory]
    [InlineData("")]
    [InlineData("-O ^metadata_csum,^64bit")]
    public void A_volume_that_lost_power_has_no_orphans_after_the_next_mount_and_none_after_e2fsck(string options)
    {
        foreach (bool usesE2fsck in new[] { false, true })
        {
            using VolumeImage image = new("16M", options);
            using StorageFixture storage = new(image);
            FileHandle[] handles = [.. Enumerable.Range(0, 3).Select(number => Create(storage, $"/{number}", PathFlags.Hold))];
            Assert.All(handles, handle => Assert.Equal(Errno.None, storage.Write("", handle, 0, new byte[50_000], out _)));
            Assert.Equal(Errno.None, storage.MakeNode("/d", FileMode.Directory | 0x1ED));
            Assert.Equal(Errno.None, storage.Open("/d", PathFlags.Hold, out _));
            Assert.Equal(Errno.None, storage.VolumeStatus("/", out VolumeStatusReply before));
            Assert.All(Enumerable.Range(0, 3), number => Assert.Equal(Errno.None, storage.Unlink($"/{number}", PathFlags.None, out _)));
            Assert.Equal(Errno.None, storage.Unlink("/d", PathFlags.Directory, out _));
            // All is on the device, and the volume is not clean: its files without names are still there.
            Assert.Equal(Errno.None, storage.Sync());
            Assert.Contains("not clean", image.Debugfs("stats"));

            if (usesE2fsck)
            {
                string output = VolumeImage.Repair(image.Path);
                Assert.Contains("orphaned inode", output);
            }

            image.Mount();
            Assert.Equal(before.FreeInodes + 4, image.Volume.FreeInodes);
            Assert.Equal(before.FreeBlocks + (3 * ((50_000 + before.BlockSize - 1) / before.BlockSize)) + 1, image.Volume.FreeBlocks);
            image.AssertSound();
        }
    }

    [Fact]
    public void A_damaged_list_of_orphans_does_not_keep_a_volume_from_being_mounted()
    {
        FileHandle handle = Create("/f", PathFlags.Hold);
        Assert.Equal(Errno.None, _storage.Unlink("/f", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Sync());
        _image.Unmount();
        _image.DebugfsWrite($"set_inode_field <{handle.Inode}> dtime 500");

        _image.Mount();
        Assert.Equal(Errno.None, _image.Volume.Sync());
        Assert.Contains("errors", _image.Debugfs("stats"));
        VolumeImage.Repair(_image.Path);
        _image.Mount();
        _image.AssertSound();
    }

    [Fact]
    public void An_orderly_shutdown_leaves_no_file_without_a_name()
    {
        FileHandle handle = Create("/f", PathFlags.Hold);
        Assert.Equal(Errno.None, _storage.Write("", handle, 0, new byte[50_000], out _));
        Assert.Equal(Errno.None, _storage.Unlink("/f", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.Monitor.ShutDown());
        Assert.DoesNotContain("not clean", _image.Debugfs("stats"));
        _image.AssertSound();
    }

    private FileHandle Create(string path, PathFlags flags) => Create(_storage, path, flags);

    private static FileHandle Create(StorageFixture storage, string path, PathFlags flags)
    {
        Assert.Equal(Errno.None, storage.Open(path, PathFlags.Create | flags, out FileAttributes attributes));
        return attributes.Handle;
    }

    private ulong FreeInodes()
    {
        Assert.Equal(Errno.None, _storage.VolumeStatus("/", out VolumeStatusReply status));
        return status.FreeInodes;
    }
}
