// Programs of Debian's packages with the host's own Linux as the judge: the same scripts, run by the same files, print the same bytes here
// and there.

using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class DebianProgramTests(DebianTree debian) : IClassFixture<DebianTree>
{
    private static readonly string[] s_roomy = ["--excache", "64M"];

    /// <param name="interpreter">Runs the script.</param>
    /// <param name="script">A file of tests/linux/debian.</param>
    /// <param name="fitsExCache">
    /// The default rack's ExCache is too small for the larger programs, and half of the test's time would go into their evictions, which
    /// other tests judge.
    /// </param>
    [Theory]
    [InlineData("bash", "shell.sh", false)]
    [InlineData("bash", "text.sh", false)]
    [InlineData("bash", "archives.sh", true)]
    [InlineData("perl", "perl.pl", true)]
    [InlineData("python3", "python.py", true)]
    [InlineData("bash", "compile.sh", true)]
    [InlineData("bash", "servers.sh", true)]
    public Task A_script_prints_on_a_rack_what_it_prints_on_the_host(string interpreter, string script, bool fitsExCache) =>
        AssertSameAsync(interpreter, script, fitsExCache ? s_roomy : []);

    /// <summary>Only root may give files away and make devices, on the host as well.</summary>
    [RootFact]
    public Task A_script_about_files_prints_on_a_rack_what_it_prints_on_the_host() => AssertSameAsync("bash", "files.sh", s_roomy);

    [Fact]
    public async Task Programs_that_tell_about_the_system_find_what_they_read()
    {
        (ProgramResult result, _) = await debian.MeasureAsync("""
            set -e -o pipefail; export LC_ALL=C TERM=dumb
            ls -ld /proc/self/fd/ | cut -c1; df / | tail -n 1 | grep -c ' /$'
            mount | grep -c '^/dev/root on / type ext4'; findmnt -n -o FSTYPE /
            sleep 100 & until [ "$(</proc/$!/comm)" = sleep ]; do :; done
            ps -o pid=,comm= -p $! | grep -c "$! sleep"; ps aux | grep -c '[s]leep 100$'; ps -ef | grep -c '[b]ash -c'
            pgrep -x sleep | wc -l
            top -bn1 | grep -c ' sleep$'; kill $!; free -k | gawk '/^Mem:/ { print ($2 > $3) }'
            uptime | grep -c 'load average'; uptime -p | grep -c '^up'
            id; hostname; uname -srm; vmstat | wc -l; pwdx $$ | cut -d' ' -f2
            nproc; getconf _NPROCESSORS_ONLN; cat /proc/uptime | wc -w; sysctl -n kernel.ostype
            mkdir /bb; busybox --install -s /bb; cd /bb
            ./df / | tail -n 1 | grep -c ' /$'; ./mount | grep -c ' on / type ext4'; ./ps | grep -c '[b]ash -c'
            ./top -bn1 | grep -c '[t]op -bn1$'
            ./free | ./wc -l; ./uptime | grep -c load; ./id -u; ./hostname; ./uname -n
            """);
        string[] expected =
        [
            "d", "1", "1", "ext4", "1", "1", "1", "1", "1", "1", "1", "1", "uid=0(root) gid=0(root) groups=0(root)", "p0",
                "Linux 6.1.0-lego x86_64", "3", "/", "1", "1", "2",
            "Linux", "1", "1", "1", "1", "3", "1", "0", "p0", "p0", "",
        ];
        Assert.Equal(string.Join('\n', expected), result.Output);
        Assert.Equal((0, ""), (result.Status, result.Error));
    }

    [Fact]
    public async Task A_second_process_fetches_nothing_of_its_program_and_libraries()
    {
        const string Program = "lua5.4 -e 'print(1)'";
        (ProgramResult one, Statistics first) = await debian.MeasureAsync($"{Program}; true");
        (ProgramResult four, Statistics all) = await debian.MeasureAsync($"{Program}; {Program}; {Program}; {Program}; true");
        Assert.Equal(("1\n", "1\n1\n1\n1\n"), (one.Output, four.Output));
        // Pages of files that a memory component sent: text and data of the shell, the program, its libraries and the dynamic linker.
        Assert.True(first["memory.misses_file"] > 0);
        Assert.Equal(first["memory.misses_file"], all["memory.misses_file"]);
    }

    private async Task AssertSameAsync(string interpreter, string script, params string[] options)
    {
        Task<ProgramResult> judge = debian.RunHereAsync(interpreter, script);
        ProgramResult there = await debian.RunThereAsync(interpreter, script, options);
        ProgramResult here = await judge;
        // A script that ends early proves nothing; each has its own last line.
        Assert.Contains(EndOf(script), here.Output);
        Assert.Equal(here.Output, there.Output);
        Assert.Equal(here.Status, there.Status);
    }

    private static string EndOf(string script) => script switch
    {
        "shell.sh" => "exec: name argument\n",
        "text.sh" => "-- misc\n",
        "files.sh" => "-- sync\n",
        "archives.sh" => "free\n",
        "perl.pl" => "died 42",
        "servers.sh" => "-- end\n",
        "python.py" => "environment None True",
        _ => "-- arguments\n",
    };
}
