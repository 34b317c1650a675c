// More of what makes a program on a rack look like one here: binary streams, signals, its environment, large files; and lost frames, which
// must not show.

using System;
using System.IO;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class ProgramTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("lego-program-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_rack_of_one_machine_runs_programs_too()
    {
        ProgramResult result = await Rack.RunAsync(["--solo"], ["sh", "-c", "echo out; echo err >&2; ls / | wc -l > /tmp/n; exit 7"]);
        Assert.Equal(new ProgramResult(7, "out\n", "err\n"), result);
    }

    [Fact]
    public async Task A_megabyte_of_bytes_arrives_whole_and_comes_back_whole()
    {
        byte[] data = new byte[1 << 20];
        new Random(11).NextBytes(data);
        CommandResult result = await LegoTool.RunAsync(data, "run", "--", "cat");
        Assert.Equal(0, result.Status);
        Assert.True(data.AsSpan().SequenceEqual(result.Output), $"{result.Output.Length} bytes came back; {result.ErrorText}");
    }

    [Fact]
    public async Task The_environment_and_the_working_directory_are_the_ones_given()
    {
        ProgramResult result = await Rack.RunAsync(["--env", "GREETING=hello world", "--cwd", "/tmp"],
            ["sh", "-c", "echo $GREETING; pwd; echo $HOME"]);
        Assert.Equal(new ProgramResult(0, "hello world\n/tmp\n/root\n", ""), result);
    }

    [Fact]
    public async Task A_large_file_sorts_and_hashes_as_on_the_host()
    {
        string file = Path.Combine(_folder, "data");
        WriteLines(file, 16 << 20);
        string script = "busybox sha256sum < $0; busybox sort $0 | busybox sha256sum";
        Task<ProgramResult> judge = Rack.HostAsync(_folder, ["sh", "-c", script, file], ("LC_ALL", "C"));
        // Eight times the ExCache.
        ProgramResult rack = await Rack.RunAsync(["--excache", "2M", "--add", $"{file}:/data"], ["sh", "-c", script, "/data"]);
        Assert.Equal(await judge, rack);
    }

    /// <summary>
    /// Random lines of random lengths, long ones, because a sort fetches each line a few times once its runs outgrow the ExCache, and not
    /// the lines but the bytes are the point.
    /// </summary>
    private static void WriteLines(string file, long bytes)
    {
        using FileStream stream = new(file, FileMode.Create);
        while (stream.Length < bytes)
        {
            byte[] line = new byte[Random.Shared.Next(16, 2000)];
            Random.Shared.NextBytes(line);
            stream.Write(Encoding.ASCII.GetBytes(Convert.ToHexStringLower(line) + "\n"));
        }
    }

    [Fact]
    public async Task Lost_frames_change_the_number_of_messages_and_nothing_else()
    {
        string[] arguments = ["12", $"{Random.Shared.Next()}"];
        ProgramResult host = await Rack.HostAsync("/", [await LinuxPrograms.BuildAsync("pattern"), .. arguments]);
        (ProgramResult rack, Statistics statistics) = await Rack.MeasureAsync(
            ["--link", "ethernet", "--loss", "1", "--seed", "7", .. await LinuxPrograms.AddAsync("pattern")], ["/pattern", .. arguments]);
        Assert.Equal(host, rack);
        Assert.True(statistics["fabric.retransmissions"] > 0);
    }
}
