// A program on the rack behaves as it does here: streams, statuses, signals, a long shell script.

using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class SessionTests
{
    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task Streams_stay_apart_and_the_status_is_the_programs(string link)
    {
        ProgramResult result = await Rack.RunAsync(["--link", link], ["sh", "-c", "echo out; echo err >&2; exit 7"]);
        Assert.Equal(new ProgramResult(7, "out\n", "err\n"), result);
    }

    [Fact]
    public async Task A_signal_ends_with_128_plus_its_number() =>
        Assert.Equal(128 + 9, (await Rack.RunAsync([], ["sh", "-c", "kill -9 $$"])).Status);

    [Fact]
    public async Task Standard_input_reaches_the_program_and_ends()
    {
        string text = string.Concat(Enumerable.Range(0, 20_000).Select(number => $"line {number}\n"));
        ProgramResult result = await Rack.RunAsync([], ["sort", "-r"], text);
        Assert.Equal(0, result.Status);
        ProgramResult count = await Rack.RunAsync([], ["sh", "-c", "wc -lc"], text);
        Assert.Equal(["20000", $"{text.Length}"], count.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task A_shell_script_prints_what_it_prints_on_the_host(string link)
    {
        string script = Path.Combine(Rack.Root, "tests", "linux", "session.sh");
        string folder = Directory.CreateTempSubdirectory("lego-host-").FullName;
        try
        {
            string programs = Directory.CreateDirectory(Path.Combine(folder, "bin")).FullName;
            Assert.Equal(0, (await Rack.HostAsync(folder, ["busybox", "--install", "-s", programs])).Status);
            string work = Directory.CreateDirectory(Path.Combine(folder, "work")).FullName;
            Task<ProgramResult> judge = Rack.HostIntoFileAsync(
                work, ["busybox", "sh", script], ("PATH", programs), ("LC_ALL", "C"));
            ProgramResult rack = await Rack.RunAsync(["--link", link, "--add", $"{script}:/session.sh", "--env", "LC_ALL=C"],
                ["sh", "-c", "mkdir -p /tmp/work && cd /tmp/work && exec sh /session.sh"]);
            ProgramResult host = await judge;
            Assert.Equal(host.Output, rack.Output);
            Assert.Equal(host, rack);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
