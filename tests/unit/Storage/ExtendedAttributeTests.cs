// Extended attributes on a volume: what this component writes, e2fsck and Linux's own tools accept, and what they wrote is read.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Storage;

public sealed class ExtendedAttributeTests
{
    private const ushort Set = 0;
    private const ushort Create = 1;
    private const ushort Replace = 2;
    private const ushort Remove = 4;

    [Theory]
    [InlineData("")]
    [InlineData("-I 128")]
    [InlineData("-b 1024")]
    public void What_random_changes_leave_is_what_was_set_and_sound(string options)
    {
        using VolumeImage image = new("16M", options);
        Dictionary<(string File, string Name), string> model = [];
        string[] files = ["/one", "/two", "/dir"];
        using (StorageFixture storage = new(image))
        {
            Assert.Equal(Errno.None, storage.Open("/one", PathFlags.Create, out _));
            Assert.Equal(Errno.None, storage.Open("/two", PathFlags.Create, out _));
            Assert.Equal(Errno.None, storage.MakeNode("/dir", FileMode.Directory | 0x1ED));
            Random random = new(5);
            for (int step = 0; step < 2000; step++)
            {
                string file = files[random.Next(files.Length)];
                string prefix = new[] { "user.", "trusted.", "security." }[random.Next(3)];
                string name = prefix + new string((char)('a' + random.Next(4)), 1 + random.Next(12));
                string value = new((char)('0' + random.Next(10)), random.Next(120));
                ushort change = new[] { Set, Set, Create, Replace, Remove, Remove }[random.Next(6)];
                bool isThere = model.ContainsKey((file, name));
                Errno expected = isThere && change == Create
                    ? Errno.EEXIST
                    : !isThere && change is Replace or Remove ? Errno.ENODATA : Errno.None;
                Errno error = storage.ChangeAttribute(file, name, change == Remove ? "" : value, change);
                if (error == Errno.ENOSPC && expected == Errno.None)
                {
                    // The block is full: nothing was changed.
                    continue;
                }

                Assert.Equal(expected, error);
                if (error == Errno.None && change == Remove)
                {
                    model.Remove((file, name));
                }
                else if (error == Errno.None)
                {
                    model[(file, name)] = value;
                }
            }

            AssertAll(storage, files, model);
        }

        image.AssertSound();
        using StorageFixture again = new(image);
        AssertAll(again, files, model);
        Assert.Equal(Errno.None, again.Unlink("/one", PathFlags.None, out _));
        image.AssertSound();
    }

    [Fact]
    public void Names_are_told_by_kind_of_file_and_right()
    {
        using VolumeImage image = new("16M");
        using StorageFixture storage = new(image);
        Assert.Equal(Errno.None, storage.Open("/f", PathFlags.Create, out _));
        Assert.Equal(Errno.None, storage.MakeNode("/fifo", FileMode.Fifo | 0x1B6));
        Assert.Equal(Errno.None, storage.ChangeAttribute("/f", "user.a", "1", Set));
        Assert.Equal(Errno.None, storage.ChangeAttribute("/f", "trusted.b", "2", Set));
        Assert.Equal(Errno.EPERM, storage.ChangeAttribute("/fifo", "user.a", "1", Set));
        Assert.Equal(Errno.EOPNOTSUPP, storage.ChangeAttribute("/f", "system.posix_acl_access", "1", Set));
        Assert.Equal(Errno.EINVAL, storage.ChangeAttribute("/f", "user.", "1", Set));
        storage.User = 7;
        Assert.Equal(Errno.EACCES, storage.ChangeAttribute("/f", "user.a", "x", Set));
        Assert.Equal(Errno.EPERM, storage.ChangeAttribute("/f", "trusted.b", "x", Set));
        Assert.Equal(Errno.ENODATA, storage.ReadAttribute("/f", "trusted.b", out _));
        Assert.Equal(Errno.None, storage.ReadAttribute("/f", "", out byte[] names));
        Assert.Equal("user.a\0", Encoding.UTF8.GetString(names));
    }

    private static void AssertAll(StorageFixture storage, string[] files, Dictionary<(string File, string Name), string> model)
    {
        foreach (string file in files)
        {
            Assert.Equal(Errno.None, storage.ReadAttribute(file, "", out byte[] names));
            string[] told = Encoding.UTF8.GetString(names).Split('\0', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(model.Keys.Where(key => key.File == file).Select(key => key.Name).Order(StringComparer.Ordinal),
                told.Order(StringComparer.Ordinal));
            foreach (string name in told)
            {
                Assert.Equal(Errno.None, storage.ReadAttribute(file, name, out byte[] value));
                Assert.Equal(model[(file, name)], Encoding.UTF8.GetString(value));
            }
        }
    }
}
