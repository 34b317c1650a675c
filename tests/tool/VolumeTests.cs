// Volumes: made, changed and grown without root, and judged by e2fsck and debugfs, not by our own code.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public sealed class VolumeTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("lego-volume-").FullName;

    public VolumeTests()
    {
        HostPaths.AddSystemDirectories();
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private string At(string name) => Path.Combine(_directory, name);

    private async Task<string> MakeImageAsync(long bytes)
    {
        string tree = At("tree");
        Directory.CreateDirectory(Path.Combine(tree, "etc"));
        File.WriteAllText(Path.Combine(tree, "etc", "motd"), "old\n");
        string image = At("image");
        await Ext4Image.MakeAsync(image, tree, bytes);
        return image;
    }

    private static async Task<string> DebugfsAsync(string image, string command)
        => await HostProgram.RunAsync("debugfs", ["-R", command, image]);

    private static async Task CheckAsync(string image)
    {
        HostResult result = await HostProgram.TryRunAsync("e2fsck", ["-fn", image]);
        Assert.True(result.Succeeded, result.Output + result.Error);
    }

    [Fact]
    public async Task Added_files_and_trees_arrive_with_their_modes_and_replace_older_ones()
    {
        string image = await MakeImageAsync(32 * ByteSize.MiB);
        File.WriteAllText(At("program one"), "#!/bin/sh\n");
        File.SetUnixFileMode(At("program one"), (UnixFileMode)0b111_101_101);
        Directory.CreateDirectory(At("data/inner"));
        File.WriteAllText(At("data/inner/x\"y"), "quoted");
        File.CreateSymbolicLink(At("data/link"), "inner/x");
        File.WriteAllText(At("motd"), "new\n");
        await AddedFile.PutAllAsync(
        [
            AddedFile.Parse($"{At("program one")}:/opt/new dir/p"), AddedFile.Parse($"{At("data")}:/srv/"),
                AddedFile.Parse($"{At("motd")}:/etc/motd"),
        ], image);
        await CheckAsync(image);
        Assert.Contains("Mode:  0755", await DebugfsAsync(image, "stat \"/opt/new dir/p\""));
        Assert.Equal("quoted", await DebugfsAsync(image, "cat \"/srv/data/inner/x\"\"y\""));
        Assert.Contains("inner/x", await DebugfsAsync(image, "stat /srv/data/link"));
        Assert.Equal("new\n", await DebugfsAsync(image, "cat /etc/motd"));
    }

    [Fact]
    public async Task A_link_in_an_added_tree_leads_nowhere_and_what_is_no_file_is_refused()
    {
        string image = await MakeImageAsync(32 * ByteSize.MiB);
        Directory.CreateDirectory(At("tree"));
        File.CreateSymbolicLink(At("tree/root"), "/");
        await AddedFile.PutAllAsync([AddedFile.Parse($"{At("tree")}:/tree")], image);
        await CheckAsync(image);
        Assert.Contains("symlink", await DebugfsAsync(image, "stat /tree/root"));

        await HostProgram.RunAsync("mkfifo", [At("tree/fifo")]);
        ToolException inTree = await Assert.ThrowsAsync<ToolException>(() =>
            AddedFile.PutAllAsync([AddedFile.Parse($"{At("tree")}:/tree")], image));
        Assert.Contains("fifo is neither a file nor a directory", inTree.Message);
        Assert.Equal(ExitStatus.Usage, Assert.Throws<ToolException>(() => AddedFile.Parse($"{At("tree/fifo")}:/fifo")).Status);
    }

    [Fact]
    public async Task An_image_grows_for_files_that_do_not_fit()
    {
        string image = await MakeImageAsync(16 * ByteSize.MiB);
        byte[] big = new byte[64 * ByteSize.MiB];
        new Random(3).NextBytes(big);
        File.WriteAllBytes(At("big"), big);
        await AddedFile.PutAllAsync([AddedFile.Parse($"{At("big")}:/big")], image);
        await CheckAsync(image);
        await HostProgram.RunAsync("debugfs", ["-R", $"dump /big {At("back")}", image]);
        Assert.Equal(big, File.ReadAllBytes(At("back")));
    }

    [Theory]
    [InlineData("x")]
    [InlineData(":/x")]
    [InlineData("/etc/passwd:")]
    [InlineData("/etc/passwd:relative")]
    [InlineData("/no/such/file:/x")]
    [InlineData("/etc/passwd:/a/../b")]
    [InlineData("/etc:/")]
    public void A_wrong_add_option_is_a_usage_error(string text)
    {
        if (text == "/etc:/")
        {
            Assert.Equal("/etc", AddedFile.Parse(text).GuestPath);
            return;
        }

        Assert.Equal(ExitStatus.Usage, Assert.Throws<ToolException>(() => AddedFile.Parse(text)).Status);
    }

    [Fact]
    public async Task The_default_tree_has_busybox_and_a_link_for_each_applet()
    {
        string tree = At("default");
        await DefaultVolume.MakeTreeAsync(tree, DefaultVolume.FindBusybox());
        Assert.Equal("/bin/busybox", new FileInfo(Path.Combine(tree, "bin/sh")).LinkTarget);
        Assert.Equal((UnixFileMode)0b001_111_111_111, File.GetUnixFileMode(Path.Combine(tree, "tmp")));
        Assert.True(File.Exists(Path.Combine(tree, "etc/passwd")));
        string image = At("default.img");
        await Ext4Image.MakeAsync(image, tree, DefaultVolume.SizeBytes);
        await CheckAsync(image);
        Assert.True(Ext4Image.FreeBytes(image) > DefaultVolume.SizeBytes * 9 / 10);
    }
}
