// A program that does something forbidden dies of it alone, as on Linux, and the rack goes on: all of it happens on one rack, one program
// after the other, and a last one still works.

using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class BadProgramTests
{
    private const UnixFileMode Executable =
        UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static readonly (string What, int Status)[] s_deaths =
    [
        ("null", 139), ("wild", 139), ("kernel", 139), ("noncanonical", 139), ("readonly", 139), ("noexec", 139), ("jumpnull", 139),
        ("stack", 139), ("badstack", 139), ("privileged", 139), ("port", 139), ("msr", 139), ("illegal", 132), ("divide", 136),
        ("breakpoint", 133), ("abort", 134),
    ];

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task Forbidden_acts_kill_only_their_program(string link)
    {
        string script = $"for what in {string.Join(' ', s_deaths.Select(death => death.What))}; do /badmemory $what >/dev/null 2>&1; "
            + "echo $what $?; done 2>/dev/null; echo alive";
        ProgramResult result = await Rack.RunAsync(["--link", link, .. await LinuxPrograms.AddAsync("badmemory")], ["sh", "-c", script]);
        Assert.Equal(string.Concat(s_deaths.Select(death => $"{death.What} {death.Status}\n")) + "alive\n", result.Output);
    }

    [Fact]
    public async Task Registers_that_no_program_may_have_end_it_as_on_Linux()
    {
        string program = await LinuxPrograms.BuildAsync("badstate");
        ProgramResult host = await Rack.HostAsync("/", [program]);
        ProgramResult result = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("badstate"), .. await LinuxPrograms.AddAsync("iret")],
            ["sh", "-c", "/badstate; /iret 2>/dev/null; echo $?"]);
        Assert.Equal(host.Output + "139\n", result.Output);
    }

    [Fact]
    public async Task A_program_that_computes_does_not_hold_up_those_that_wait_for_messages()
    {
        // 20 programs with some fifty messages each, alone and beside one that never gives the processor back. Fairness makes it two times
        // as long; a message that waits for a timer instead of a wake-up makes it hundreds of times.
        const string Script =
            "run() { for n in $(seq 20); do ls / >/dev/null; done; cut -d' ' -f1 /proc/uptime; }; cut -d' ' -f1 /proc/uptime; run; "
            + "while :; do :; done & cut -d' ' -f1 /proc/uptime; run; kill $!";
        ProgramResult result = await Rack.RunAsync([], ["sh", "-c", Script]);
        double[] times = [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => double.Parse(line, CultureInfo.InvariantCulture))];
        Assert.Equal(4, times.Length);
        double alone = times[1] - times[0];
        double beside = times[3] - times[2];
        Assert.True(beside < 20 * alone, $"alone {alone:F2} s, beside a program that computes {beside:F2} s");
    }

    [Fact]
    public async Task Pipes_that_are_full_leave_the_others_their_memory()
    {
        const string Script =
            "mkfifo /tmp/end; /pipes </tmp/end >/tmp/said & exec 3>/tmp/end; until grep -q full /tmp/said; do sleep 0.1; done; "
            + "md5sum /bin/busybox; exec 3>&-; wait; cat /tmp/said";
        ProgramResult host = await Rack.HostAsync("/", ["md5sum", "/bin/busybox"]);
        ProgramResult result = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("pipes")], ["sh", "-c", Script]);
        Assert.Equal(host.Output + "full\nall\n", result.Output);
    }

    [Fact]
    public async Task Bad_pointers_to_every_system_call_hurt_nobody()
    {
        ProgramResult result = await Rack.RunAsync([.. await LinuxPrograms.AddAsync("badpointers")],
            ["sh", "-c", "cd /tmp && /badpointers && echo alive"]);
        Assert.True(result is { Status: 0, Output: "ok\nalive\n" }, result.ToString());
    }

    [Theory]
    [InlineData("/no/such/program", 127)]
    [InlineData("/bin", 126)]
    [InlineData("/no-interpreter", 127)]
    public async Task What_cannot_be_run_says_so(string program, int status)
    {
        string script = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(script, "#!/no/such/interpreter\n");
            File.SetUnixFileMode(script, Executable);
            ProgramResult result = await Rack.RunAsync(["--add", $"{script}:/no-interpreter"], [program]);
            Assert.True(result.Error.Length > 0 && result.Output.Length == 0, result.ToString());
            Assert.Equal(status, result.Status);
        }
        finally
        {
            File.Delete(script);
        }
    }

    [Fact]
    public async Task A_program_whose_dynamic_linker_is_missing_is_told_so()
    {
        ProgramResult result = await Rack.RunAsync(["--add", "/bin/true:/dynamic"], ["/dynamic"]);
        Assert.True(result is { Status: 127, Output: "" } && result.Error.Contains("dynamic linker"), result.ToString());
    }

    [Fact]
    public async Task Mutated_and_truncated_programs_are_refused_or_die_alone()
    {
        byte[] good = await File.ReadAllBytesAsync(await LinuxPrograms.BuildAsync("tracer"));
        string folder = Directory.CreateTempSubdirectory("lego-mutants-").FullName;
        try
        {
            Random random = new(500);
            const int Count = 250;
            for (int number = 0; number < Count; number++)
            {
                byte[] mutant = random.Next(5) == 0 ? good[..random.Next(good.Length)] : (byte[])good.Clone();
                // The ELF header and the program headers decide how a file is loaded; code decides little that other tests do not.
                int headers = Math.Min(mutant.Length, 1024);
                for (int change = random.Next(1, 6); change > 0 && headers > 0; change--)
                {
                    mutant[random.Next(headers)] = (byte)random.Next(256);
                }

                string path = Path.Combine(folder, $"m{number}");
                await File.WriteAllBytesAsync(path, mutant);
                File.SetUnixFileMode(path, Executable);
            }
            // A mutant may loop for ever: each has a few seconds.
            string script = $"for n in $(seq 0 {Count - 1}); do timeout -s KILL 5 /mutants/m$n 32 16 4 14 50 50 1 >/dev/null 2>&1; done; "
                + "echo alive";
            ProgramResult result = await Rack.RunAsync(["--add", $"{folder}:/mutants"], ["sh", "-c", script]);
            Assert.True(result.Status == 0 && result.Output.EndsWith("alive\n", StringComparison.Ordinal), result.ToString());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
