// Files outlive the rack that wrote them: what programs wrote is in the named volume's image afterwards, where debugfs reads it, and e2fsck
// finds nothing to complain about.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class VolumeTests : IDisposable
{
    private const string Work = """
        mkdir -p /project/deep/er && cd /project
        i=0; while [ $i -lt 200 ]; do echo "file $i" > deep/f$i; i=$((i + 1)); done
        dd if=/dev/urandom of=random bs=64k count=40 2>/dev/null
        cp random deep/er/copy; mv deep/er moved; ln moved/copy hard; ln -s ../random moved/soft
        rm deep/f1*; truncate -s 100000 moved/copy; echo appended >> moved/copy; tar cf all.tar deep moved
        sha256sum random hard all.tar
        """;

    private readonly string _name = $"test-{Environment.ProcessId}";

    private string Image => Path.Combine(Rack.Root, "out", "volumes", $"{_name}.img");

    public void Dispose() => File.Delete(Image);

    [Fact]
    public async Task What_programs_wrote_is_in_the_image_and_a_later_rack_reads_it()
    {
        string folder = Directory.CreateTempSubdirectory("lego-volume-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, "bin"));
            File.Copy("/bin/busybox", Path.Combine(folder, "bin", "busybox"));
            Assert.Equal(0, (await Rack.ToolAsync("volume", "create", _name, "--from", folder)).Status);
            string[] options = ["--volume", _name];

            string install = "/bin/busybox --install -s /bin; PATH=/bin\n";
            ProgramResult written = await Rack.RunAsync(options, ["/bin/busybox", "sh"], install + Work);
            Assert.Equal((0, ""), (written.Status, written.Error));
            await AssertSoundAsync(folder);
            ProgramResult read = await Rack.RunAsync(options,
                ["/bin/sh", "-c", "cd /project && sha256sum random hard all.tar; ls deep | wc -l"]);

            Assert.Equal(written.Output + "89\n", read.Output);
            string copy = Path.Combine(folder, "read-back");
            await Rack.HostAsync(folder, ["/usr/sbin/debugfs", "-R", $"dump /project/random {copy}", Image]);
            ProgramResult digest = await Rack.HostAsync(folder, ["sha256sum", copy]);
            Assert.StartsWith(digest.Output.Split(' ')[0], written.Output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task What_a_program_wrote_before_its_time_was_over_stays()
    {
        string folder = Directory.CreateTempSubdirectory("lego-volume-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, "bin"));
            File.Copy("/bin/busybox", Path.Combine(folder, "bin", "busybox"));
            Assert.Equal(0, (await Rack.ToolAsync("volume", "create", _name, "--from", folder)).Status);
            string[] shell = ["/bin/busybox", "sh", "-c"];
            ProgramResult stopped = await Rack.RunAsync(["--volume", _name, "--timeout", "6"],
                [.. shell, "echo a >/a; echo b >/b; echo ready; /bin/busybox sleep 1000"]);
            Assert.Equal((124, "ready\n"), (stopped.Status, stopped.Output));
            await AssertSoundAsync(folder);
            ProgramResult read = await Rack.RunAsync(["--volume", _name], [.. shell, "/bin/busybox cat /a /b"]);
            Assert.Equal(new ProgramResult(0, "a\nb\n", ""), read);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task AssertSoundAsync(string folder)
    {
        ProgramResult verdict = await Rack.HostAsync(folder, ["/usr/sbin/e2fsck", "-fn", Image]);
        Assert.True(verdict.Status == 0, verdict.Output);
    }
}
