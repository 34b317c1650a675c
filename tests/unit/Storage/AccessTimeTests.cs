// Times of access: what counts as reading, and when it changes the time (relatime, mount(8)).

using System;
using System.Collections.Generic;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Storage;

public sealed class AccessTimeTests : IDisposable
{
    private const ulong Second = 1_000_000_000;
    private const ulong Day = 24 * 60 * 60 * Second;
    private const ulong Made = 1_000 * Second;

    private readonly VolumeImage _image = new("16M");
    private readonly StorageFixture _storage;

    public AccessTimeTests() => _storage = new StorageFixture(_image) { NowNs = Made };

    public void Dispose()
    {
        _storage.Dispose();
        _image.Dispose();
    }

    [Theory]
    [InlineData(10, 10, 5, 20, true)]
    [InlineData(10, 5, 10, 20, true)]
    [InlineData(10, 5, 5, 20, false)]
    [InlineData(10, 5, 5, 10 + 86399, false)]
    [InlineData(10, 5, 5, 10 + 86400, true)]
    [InlineData(-10, -5, -20, 20, true)]
    [InlineData(-5, -10, -20, 20, false)]
    public void A_file_is_due_when_it_has_changed_since_it_was_read_or_a_day_later(long access, long modify, long change, long now,
        bool due) =>
        Assert.Equal(due, FileTime.IsReadDue(FileTime.Of(access, 0), FileTime.Of(modify, 0), FileTime.Of(change, 0), FileTime.Of(now, 0)));

    [Fact]
    public void Listing_a_directory_reads_it_once_until_it_changes_or_a_day_has_gone()
    {
        Assert.Equal(Errno.None, _storage.MakeNode("/d", FileMode.Directory | 0x1ED));
        Assert.Equal(Made + 1, AccessTimeAfterListing(Made + 1));
        Assert.Equal(Made + 1, AccessTimeAfterListing(Made + 2));
        Assert.Equal(Made + 1 + Day, AccessTimeAfterListing(Made + 1 + Day));
        _storage.NowNs = Made + 2 + Day;
        Assert.Equal(Errno.None, _storage.MakeNode("/d/new", FileMode.Regular | 0x1A4));
        Assert.Equal(Made + 3 + Day, AccessTimeAfterListing(Made + 3 + Day));
    }

    [Fact]
    public void A_symbolic_link_is_read_by_readlink_and_by_who_follows_it()
    {
        Assert.Equal(Errno.None, _storage.MakeNode("/told", FileMode.SymbolicLink | 0x1FF, "target"));
        Assert.Equal(Errno.None, _storage.MakeNode("/followed", FileMode.SymbolicLink | 0x1FF, "target"));
        Assert.Equal(Errno.None, _storage.Open("/target", PathFlags.Create, out _));
        _storage.NowNs = Made + 1;
        Assert.Equal(Errno.None, _storage.ReadLink("/told", out string target));
        Assert.Equal("target", target);
        Assert.Equal(Errno.None, _storage.Open("/followed", PathFlags.None, out _));
        Assert.Equal((Made + 1, Made + 1), (AccessTimeOf("/told"), AccessTimeOf("/followed")));
        _storage.NowNs = Made + 2;
        Assert.Equal(Errno.None, _storage.Open("/told", PathFlags.NoFollow, out _));
        Assert.Equal(Made + 1, AccessTimeOf("/told"));
    }

    [Fact]
    public void Who_gives_a_file_back_tells_when_it_was_read()
    {
        Assert.Equal(Errno.None, _storage.Open("/f", PathFlags.Create | PathFlags.Hold, out FileAttributes file));
        Assert.Equal(Errno.None, _storage.Open("/f", PathFlags.Hold, out _));
        Assert.Equal([0u], _storage.Release((file.Handle, 1)));
        Assert.Equal(Made, AccessTimeOf("/f"));
        Assert.Equal([0u], _storage.Release(Made + 5, (file.Handle, 1)));
        Assert.Equal(Made + 5, AccessTimeOf("/f"));
        Assert.Equal([0u], _storage.Release(Made + 6, (file.Handle, 0)));
        Assert.Equal(Made + 5, AccessTimeOf("/f"));
    }

    private ulong AccessTimeAfterListing(ulong nowNs)
    {
        _storage.NowNs = nowNs;
        Assert.Equal(Errno.None, _storage.List("/d", new List<ListedName>()));
        return AccessTimeOf("/d");
    }

    private ulong AccessTimeOf(string path)
    {
        Assert.Equal(Errno.None, _storage.Open(path, PathFlags.NoFollow, out FileAttributes attributes));
        return attributes.AccessTimeNs;
    }
}
