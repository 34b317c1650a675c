// What is decided about paths without asking the storage component.

using System;
using System.Text;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class PathTextTests
{
    [Theory]
    [InlineData("/", PathTree.Volume)]
    [InlineData("/proc", PathTree.Pseudo)]
    [InlineData("//proc//1/stat", PathTree.Pseudo)]
    [InlineData("/./dev/null", PathTree.Pseudo)]
    [InlineData("/tmp/../dev/null", PathTree.Volume)]
    [InlineData("/.././dev/null", PathTree.Pseudo)]
    [InlineData("proc/self", PathTree.Volume)]
    [InlineData("/../sys/devices", PathTree.Pseudo)]
    [InlineData("/proc/../etc/passwd", PathTree.Pseudo)]
    [InlineData("/proc/..", PathTree.Pseudo)]
    [InlineData("/proc/self/../..", PathTree.Pseudo)]
    [InlineData("/process", PathTree.Volume)]
    [InlineData("/home/proc", PathTree.Volume)]
    [InlineData("/devices/dev", PathTree.Volume)]
    [InlineData("/a/b/../../../dev", PathTree.Volume)]
    public void The_first_component_decides_in_which_tree_a_path_begins(string path, PathTree expected) =>
        Assert.Equal(expected, PathText.TreeOf(Encoding.UTF8.GetBytes(path)));

    [Theory]
    [InlineData("/a/b", "b")]
    [InlineData("/a/b///", "b")]
    [InlineData("b", "b")]
    [InlineData("/", "")]
    [InlineData("", "")]
    public void The_last_component_ignores_trailing_slashes(string path, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(PathText.LastComponent(Encoding.UTF8.GetBytes(path))));

    [Theory]
    [InlineData("/a/b", "/a")]
    [InlineData("/a/b/", "/a")]
    [InlineData("/a", "/")]
    [InlineData("/a/../b", "/a/..")]
    public void The_directory_of_a_path_is_what_precedes_its_last_component(string path, string expected) =>
        Assert.Equal(expected, Encoding.UTF8.GetString(PathText.DirectoryOf(Encoding.UTF8.GetBytes(path))));

    [Fact]
    public void A_component_is_found_only_whole()
    {
        Assert.True(PathText.HasComponent("/a/bc/d"u8, "bc"u8));
        Assert.True(PathText.HasComponent("/a/bc/d"u8, "d"u8));
        Assert.False(PathText.HasComponent("/a/bc/d"u8, "b"u8));
        Assert.False(PathText.HasComponent("/a/bc/d"u8, "c/d"u8));
    }

    [Theory]
    [InlineData("/a/b/c", "/a/b", "/x", "/x/c")]
    [InlineData("/a/b", "/a/b", "/x", "/x")]
    [InlineData("/a/bc", "/a/b", "/x", null)]
    [InlineData("/a", "/a/b", "/x", null)]
    public void Paths_below_a_renamed_directory_follow_it(string path, string old, string replacement, string? expected)
    {
        byte[] target = new byte[64];
        bool found = PathText.TryRebase(
            Encoding.UTF8.GetBytes(path), Encoding.UTF8.GetBytes(old), Encoding.UTF8.GetBytes(replacement), target, out int length);
        Assert.Equal(expected, found ? Encoding.UTF8.GetString(target, 0, length) : null);
    }

    [Fact]
    public void A_rebased_path_that_is_too_long_is_left_alone() =>
        Assert.False(PathText.TryRebase("/a/cccccccc"u8, "/a"u8, "/bbbb"u8, new byte[12], out _));

    [Theory]
    [InlineData("0", true, 0)]
    [InlineData("123", true, 123)]
    [InlineData("999999999", true, 999999999)]
    [InlineData("9999999999", false, 0)]
    [InlineData("01", false, 0)]
    [InlineData("", false, 0)]
    [InlineData("-1", false, 0)]
    [InlineData("1a", false, 0)]
    public void Numbers_in_names_have_one_spelling(string text, bool expected, uint number)
    {
        bool found = PathText.TryNumber(Encoding.UTF8.GetBytes(text), out uint value);
        Assert.Equal(expected, found);
        if (found)
        {
            Assert.Equal(number, value);
        }
    }
}
