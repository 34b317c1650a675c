// Bad input to the tool and resources that run out end in a clear error within seconds; nothing hangs, nothing panics.

using System;
using System.IO;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class BadInputTests : IDisposable
{
    private const int UsageStatus = 2;
    private const int TimedOutStatus = 124;
    private const int HostStatus = 69;
    private const int NotFoundStatus = 127;
    private const int RackFailedStatus = 70;

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-bad-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static void AssertClear(ProgramResult result, int status, string part)
    {
        Assert.True(result.Status == status, result.ToString());
        Assert.Contains(part, result.Error);
        Assert.StartsWith("lego: ", result.Error);
    }

    [Fact]
    public async Task Wrong_options_and_rack_files_are_usage_errors()
    {
        string file = Path.Combine(_folder, "rack.yml");
        File.WriteAllText(file, "components:\n  - kind: memory\n    memroy: 1G\n");
        AssertClear(await Rack.RunAsync(["--rack", file], ["true"]), UsageStatus, "memroy");
        File.WriteAllText(file, "components: [{kind: processor}, {kind: memory, image: nobodys}, {kind: storage}, {kind: manager}]");
        AssertClear(await Rack.RunAsync(["--rack", file], ["true"]), HostStatus, "dotnet build boot/nobodys");
        AssertClear(await Rack.RunAsync(["--rack", "/none.yml"], ["true"]), UsageStatus, "/none.yml");
        AssertClear(await Rack.RunAsync(["--memory", "4M"], ["true"]), UsageStatus, "too small");
        AssertClear(await Rack.RunAsync(["--policy", "best"], ["true"]), UsageStatus, "'best'");
        AssertClear(await Rack.RunAsync(["--volume", "never-made"], ["true"]), UsageStatus, "never-made");
        AssertClear(await Rack.RunAsync(["--frobnicate"], ["true"]), UsageStatus, "--frobnicate");
        AssertClear(await Rack.RunAsync([], ["no-such-program"]), NotFoundStatus, "no-such-program");
    }

    [Fact]
    public async Task A_program_too_large_for_the_memory_component_fails_and_the_rack_does_not()
    {
        ProgramResult result = await Rack.RunAsync(["--memory", "32M", "--timeout", "60", .. await LinuxPrograms.AddAsync("pattern")],
            ["sh", "-c", "/pattern 128 1; echo status $?"]);
        Assert.True(result.Status is not RackFailedStatus and not TimedOutStatus, result.ToString());
        Assert.DoesNotContain("status 0", result.Output);
    }

    [Fact]
    public async Task A_full_volume_is_an_error_of_the_write_and_the_volume_stays_clean()
    {
        string tree = Directory.CreateDirectory(Path.Combine(_folder, "tree", "bin")).Parent!.FullName;
        File.Copy("/bin/busybox", Path.Combine(tree, "bin", "busybox"));
        string name = $"full-{Environment.ProcessId}";
        string image = Path.Combine(Rack.Root, "out", "volumes", name + ".img");
        try
        {
            CommandResult made = await LegoTool.RunAsync("volume", "create", name, "--from", tree, "--size", "16M");
            Assert.True(made.Status == 0, made.ToString());
            ProgramResult result = await Rack.RunAsync(["--volume", name],
                ["/bin/busybox", "sh", "-c", "B=/bin/busybox; $B dd if=/dev/zero of=/big bs=4096 count=8192; echo status $?; "
                    + "[ -s /big ] && echo kept; $B rm /big; echo alive"]);
            Assert.Contains("No space left on device", result.Error);
            Assert.Equal("status 1\nkept\nalive\n", result.Output);
            ProgramResult check = await Rack.HostAsync("/", ["sh", "-c", $"PATH=$PATH:/usr/sbin e2fsck -fn {image}"]);
            Assert.True(check.Status == 0, check.ToString());
        }
        finally
        {
            File.Delete(image);
        }
    }
}
