// Permission bits: which three of them count, and what root may do.

using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class FileAccessTests
{
    private const uint Regular = 0x8000;
    private const uint Directory = 0x4000;

    [Theory]
    [InlineData(0x1A4, 1000, 1000, 6, true)] // 0644, the owner writes
    [InlineData(0x1A4, 1001, 1000, 6, false)] // the group does not
    [InlineData(0x1A4, 1001, 1001, 4, true)] // others read
    [InlineData(0x007, 1000, 1000, 4, false)] // 0007: the owner is not one of the others
    [InlineData(0x038, 1001, 1000, 7, true)] // 0070: the group
    [InlineData(0x038, 1001, 1001, 1, false)]
    [InlineData(0x000, 0, 0, 6, true)] // root reads and writes anything
    [InlineData(0x1A4, 0, 0, 1, false)] // but runs only what somebody may run
    [InlineData(0x008, 0, 0, 1, true)]
    public void Owner_group_and_others_have_their_own_bits(uint permissions, uint user, uint group, uint rights, bool granted)
    {
        FileAttributes attributes = new() { Mode = Regular | permissions, UserId = 1000, GroupId = 1000 };
        Assert.Equal(granted ? Errno.None : Errno.EACCES, FileAccess.Check(user, group, [], in attributes, rights));
    }

    [Fact]
    public void A_supplementary_group_counts_as_the_files_group()
    {
        FileAttributes attributes = new() { Mode = Regular | 0x02B, UserId = 1000, GroupId = 50 };
        Assert.Equal(Errno.None, FileAccess.Check(1001, 1001, [7, 50], in attributes, FileAccess.Read | FileAccess.Execute));
        Assert.Equal(Errno.EACCES, FileAccess.Check(1001, 1001, [7, 50], in attributes, FileAccess.Write));
        Assert.Equal(Errno.None, FileAccess.Check(1001, 1001, [7, 51], in attributes, FileAccess.Write));
    }

    [Fact]
    public void Root_searches_any_directory()
    {
        FileAttributes attributes = new() { Mode = Directory, UserId = 1000, GroupId = 1000 };
        Assert.Equal(Errno.None, FileAccess.Check(0, 0, [], in attributes, FileAccess.Execute));
        Assert.Equal(Errno.EACCES, FileAccess.Check(1000, 1000, [], in attributes, FileAccess.Execute));
    }
}
