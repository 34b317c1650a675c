// Dynamically linked programs with the host's own Linux as the judge: what the host's gcc makes runs with the host's dynamic linker and C
// library, copied into the volume, and prints the same bytes there and here.

using System;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class DynamicProgramTests : IDisposable
{
    private const string Linker = "/lib64/ld-linux-x86-64.so.2";
    private const UnixFileMode Executable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-dynamic-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("-pie", "ring")]
    [InlineData("-no-pie", "ethernet")]
    public async Task A_program_with_shared_libraries_runs_as_on_the_host(string kind, string link)
    {
        await CompileAsync("-O1", "-fPIC", "-shared", "-o", "libown.so", Source("shared.c"));
        await CompileAsync("-O1", "-fPIC", "-shared", "-o", "libloaded.so", Source("shared.c"));
        await CompileAsync("-O1", kind, "-Wl,-z,relro,-z,now", "-o", "dynamic", Source("dynamic.c"), "-L.", "-lown", "-lm",
            "-Wl,-rpath,$ORIGIN");
        ProgramResult here = await Rack.HostAsync(_folder, ["./dynamic"]);
        Assert.Equal(0, here.Status);
        ProgramResult there = await Rack.RunAsync(["--link", link, .. await VolumeAsync()], ["./dynamic"]);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    [Fact]
    public async Task The_dynamic_linker_is_found_and_refused_as_on_the_host()
    {
        await CompileAsync("-O1", "-fPIC", "-shared", "-o", "libown.so", Source("shared.c"));
        string[] own = ["-L.", "-lown", "-lm", "-Wl,-rpath,$ORIGIN"];
        await CompileAsync(["-O1", "-o", "dynamic", Source("dynamic.c"), .. own]);
        // The name of the linker is looked up like any path: relative, through links, with rights.
        string[] linkers = ["missing", "linked", "./linked", "text", "short", "unexecutable", "directory", "other-machine", "dynamic/below",
            Linker + "/"];
        for (int index = 0; index < linkers.Length; index++)
        {
            await CompileAsync(["-O1", "-o", $"with{index}", Source("dynamic.c"), .. own, $"-Wl,--dynamic-linker={linkers[index]}"]);
        }

        await CompileAsync(["-O1", "-static-pie", "-o", "static-pie", Source("pie.c")]);
        File.CreateSymbolicLink(Path.Combine(_folder, "linked"), "link-to-linker");
        File.CreateSymbolicLink(Path.Combine(_folder, "link-to-linker"), Linker);
        Write("text", Encoding.ASCII.GetBytes(new string('x', 100)), Executable);
        Write("short", Encoding.ASCII.GetBytes("x"), Executable);
        byte[] linker = await File.ReadAllBytesAsync(Linker);
        Write("unexecutable", linker, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        const int MachineField = 18;
        const byte Arm64 = 183;
        linker[MachineField] = Arm64;
        Write("other-machine", linker, Executable);
        Directory.CreateDirectory(Path.Combine(_folder, "directory"));
        Write("script", Encoding.ASCII.GetBytes("#!./dynamic of a script\n"), Executable);
        Write("script-of-missing", Encoding.ASCII.GetBytes("#!./with0\n"), Executable);

        string[] program = ["./dynamic", "exec", .. linkers.Select((_, index) => $"./with{index}"), "./static-pie", "./script",
            "./script-of-missing"];
        ProgramResult here = await Rack.HostAsync(_folder, program);
        ProgramResult there = await Rack.RunAsync([.. await VolumeAsync()], program);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(0, there.Status);
    }

    private static string Source(string name) => Path.Combine(Rack.Root, "tests", "linux", name);

    private void Write(string name, byte[] bytes, UnixFileMode mode)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, bytes);
        File.SetUnixFileMode(path, mode);
    }

    private async Task CompileAsync(params string[] arguments)
    {
        ProgramResult result = await Rack.HostAsync(_folder, ["gcc", .. arguments]);
        Assert.True(result.Status == 0, result.ToString());
    }

    /// <summary>The folder as the working directory, and the host's linker and C library where programs look for them.</summary>
    private async Task<string[]> VolumeAsync()
    {
        string libraries = Directory.CreateDirectory(Path.Combine(_folder, "host-libraries")).FullName;
        foreach (string library in new[] { "libc.so.6", "libm.so.6" })
        {
            ProgramResult path = await Rack.HostAsync(_folder, ["gcc", $"-print-file-name={library}"]);
            File.Copy(path.Output.Trim(), Path.Combine(libraries, library), overwrite: true);
        }

        return
        [
            "--add", $"{Linker}:{Linker}", "--add", $"{libraries}:/usr/lib/x86_64-linux-gnu", "--add", $"{_folder}:/work", "--cwd", "/work",
        ];
    }
}
