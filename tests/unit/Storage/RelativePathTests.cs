// Paths that begin at a directory which the request names by handle, and paths that lead to names which somebody else serves.

using System;
using System.Linq;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;
using FileAttributes = Lego.Fabric.Messages.FileAttributes;
using FileMode = Lego.Kernel.FileMode;

namespace Lego.Tests.Storage;

public sealed class RelativePathTests : IDisposable
{
    private readonly VolumeImage _image = new("16M");
    private readonly StorageFixture _storage;

    public RelativePathTests()
    {
        _storage = new StorageFixture(_image);
    }

    public void Dispose()
    {
        _storage.Dispose();
        _image.Dispose();
    }

    [Fact]
    public void A_name_in_a_directory_is_not_taken_for_a_file_whose_path_has_the_same_letters()
    {
        FileHandle directory = Make("/dir", FileMode.Directory);
        Make("/dirlink", FileMode.Regular);
        SetAttributesRequest change = new() { Mask = AttributeMask.Mode, Mode = 0x1FF };
        // The path is one that was walked lately.
        Assert.Equal(Errno.None, _storage.SetAttributes("/dirlink", change, out FileAttributes before));
        change.Path.Handle = directory;
        change.Mode = 0;
        Assert.Equal(Errno.ENOENT, _storage.SetAttributes("link", change, out _, PathFlags.At, hint: "/dir"));
        Assert.Equal(Errno.None, _storage.Status("/dirlink", default, out FileAttributes after));
        Assert.Equal(before.Mode, after.Mode);
    }

    [Fact]
    public void A_walk_goes_on_from_a_directory_wherever_it_was_moved()
    {
        FileHandle directory = Make("/a", FileMode.Directory);
        Make("/a/in", FileMode.Directory);
        Assert.Equal(Errno.None, _storage.Rename("/a", "/b", PathFlags.None, out _));

        // What the sender believes about the place is only a hint, and a wrong one is no harm.
        Assert.Equal(Errno.None,
            _storage.OpenAt(directory, "/b", "in/../f", PathFlags.Create, out string canonical, out FileAttributes made));
        Assert.Equal("/b/f", canonical);
        Assert.Equal(Errno.None, _storage.OpenAt(directory, "/a", "f", PathFlags.None, out canonical, out FileAttributes found));
        Assert.Equal("", canonical);
        Assert.Equal(made.Handle, found.Handle);
        Assert.Equal(Errno.None, _storage.OpenAt(directory, "", "../b/f", PathFlags.None, out canonical, out _));
        Assert.Equal("/b/f", canonical);
        Assert.Equal(Errno.None, _storage.OpenAt(directory, "/b", "/b/f", PathFlags.None, out canonical, out _));
        Assert.Equal("/b/f", canonical);
        Assert.Equal(Errno.ENOTDIR, _storage.OpenAt(made.Handle, "/b/f", "x", PathFlags.None, out _, out _));
    }

    [Fact]
    public void A_name_that_goes_by_a_relative_path_is_gone_by_its_full_path()
    {
        FileHandle directory = Make("/d", FileMode.Directory);
        Assert.Equal(Errno.None, _storage.Open("/d/f", PathFlags.Create, out _));
        Assert.Equal(Errno.None, _storage.Open("/d/f", PathFlags.None, out _));
        Assert.Equal(Errno.None, _storage.UnlinkAt(directory, "f"));
        Assert.Equal(Errno.ENOENT, _storage.Open("/d/f", PathFlags.None, out _));
    }

    [Fact]
    public void Nothing_is_made_in_a_removed_directory_but_its_parent_is_still_there()
    {
        FileHandle directory = Make("/d", FileMode.Directory);
        Assert.Equal(Errno.None, _storage.Open("/d", PathFlags.Hold, out _));
        Assert.Equal(Errno.None, _storage.Unlink("/d", PathFlags.Directory, out _));
        Make("/d", FileMode.Directory);
        Assert.Equal(Errno.ENOENT, _storage.OpenAt(directory, "/d", "f", PathFlags.Create, out _, out _));
        Assert.Equal(Errno.None, _storage.OpenAt(directory, "/d", ".", PathFlags.None, out _, out FileAttributes self));
        Assert.Equal((directory, 0u), (self.Handle, self.Links));
        Assert.Equal(Errno.None, _storage.OpenAt(directory, "/d", "..", PathFlags.None, out _, out _));
        Assert.Equal([1u], _storage.Release((directory, 1)));
        Assert.Equal(Errno.ESTALE, _storage.OpenAt(directory, "/d", ".", PathFlags.None, out _, out _));
        _image.AssertSound();
    }

    [Fact]
    public void Directories_may_be_deeper_than_any_path_is_long()
    {
        string name = new('n', 200);
        FileHandle directory = Make("/" + name, FileMode.Directory);
        string path = "/" + name;
        for (int depth = 0; depth < 30; depth++)
        {
            Assert.Equal(Errno.None, _storage.OpenAt(directory, path, name + "f", PathFlags.Create, out string canonical, out _));
            Assert.Equal(path.Length + name.Length + 2 < 4096 && path != "" ? $"{path}/{name}f" : "", canonical);
            Assert.Equal(Errno.None, _storage.MakeAt(directory, name, FileMode.Directory | 0x1ED, out FileAttributes made));
            directory = made.Handle;
            path = path != "" && path.Length + name.Length + 1 < 4095 ? $"{path}/{name}" : "";
        }

        string up = string.Join('/', Enumerable.Repeat("..", 31));
        Assert.Equal(Errno.None, _storage.OpenAt(directory, "", up, PathFlags.None, out string root, out _));
        Assert.Equal("/", root);
        _image.AssertSound();
    }

    [Theory]
    [InlineData("/proc/1/stat", "proc/1/stat")]
    [InlineData("/d/null", "dev/null")]
    [InlineData("/d/up/proc", "proc")]
    [InlineData("/d/../sys//x/../y/", "sys//x/../y/")]
    public void A_walk_that_meets_a_name_which_the_sender_serves_tells_the_rest(string path, string rest)
    {
        Make("/d", FileMode.Directory);
        Assert.Equal(Errno.None, _storage.MakeNode("/d/null", FileMode.SymbolicLink | 0x1FF, "../dev/null"));
        Assert.Equal(Errno.None, _storage.MakeNode("/d/up", FileMode.SymbolicLink | 0x1FF, "/"));
        Assert.Equal(Errno.EREMOTE, _storage.OpenAt(default, "", path, PathFlags.Mounts, out string told, out _));
        Assert.Equal(rest, told);
        Assert.Equal(Errno.ENOENT, _storage.OpenAt(default, "", path, PathFlags.None, out _, out _));
        Assert.Equal(Errno.None, _storage.OpenAt(default, "", "/d/dev", PathFlags.Mounts | PathFlags.Create, out _, out _));
    }

    private FileHandle Make(string path, uint type)
    {
        Assert.Equal(Errno.None, _storage.MakeNode(path, type | 0x1ED));
        Assert.Equal(Errno.None, _storage.Open(path, PathFlags.None, out FileAttributes made));
        return made.Handle;
    }
}
