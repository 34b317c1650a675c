// A volume of Debian's packages and the same files as a directory of the host, so that the same programs run on a rack and on the host's
// Linux. Made once for a list of packages, under out/, and kept: a clean clone downloads once.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>Debian's programs, there and here.</summary>
public sealed class DebianTree : IAsyncLifetime
{
    private const string Packages = "bash,dash,coreutils,grep,sed,gawk,findutils,tar,gzip,xz-utils,bzip2,bc,dc,diffutils,patch,"
        + "perl,python3,sqlite3,lua5.4,m4,make,file,less,"
        + "rsync,redis-server,redis-tools,nginx-light,"
        + "libc-bin,ncurses-base,procps,util-linux,mount,hostname,busybox-static,gcc,libc6-dev,musl-tools";
    private const string Path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    private const string Home = "HOME=/root";

    private static readonly string s_name =
        $"tests-debian-{Convert.ToHexString(SHA256.HashData(Encoding.ASCII.GetBytes(Packages)).AsSpan(0, 4))}";

    private static readonly Lazy<Task> s_making = new(() => Task.Run(MakeAsync));

    private static string Image => System.IO.Path.Combine(Rack.Root, "out", "volumes", $"{s_name}.img");

    private static string Tree => System.IO.Path.Combine(Rack.Root, "out", s_name);

    private static string Scripts => System.IO.Path.Combine(Rack.Root, "tests", "linux", "debian");

    public Task InitializeAsync() => EnsureAsync();

    /// <summary>Makes both once.</summary>
    internal static Task EnsureAsync() => s_making.Value;

    private static async Task MakeAsync()
    {
        if (!File.Exists(Image))
        {
            ProgramResult made = await Rack.ToolAsync("volume", "create", s_name, "--packages", Packages);
            Assert.True(made.Status == 0, made.ToString());
        }

        if (!Directory.Exists(Tree))
        {
            string partial = Directory.CreateDirectory(Tree + ".partial").FullName;
            ProgramResult dumped = await Rack.HostAsync(Rack.Root, ["/usr/sbin/debugfs", "-R", $"rdump / {partial}", Image]);
            // It ends with 0 whatever went wrong and says so on its standard error, beneath its own name. Owners are only root's to change.
            string[] failures = dumped.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.True(
                dumped.Status == 0 && failures.Skip(1)
                .All(line => line.Contains("while changing ownership of") && !Environment.IsPrivilegedProcess),
                dumped.ToString());
            Directory.Move(partial, Tree);
        }
    }

    public Task DisposeAsync() => Task.CompletedTask;

    /// <summary>
    /// Runs a script of tests/linux/debian in an empty directory of the host's tree, which is its root directory, with a network of its
    /// own.
    /// </summary>
    public async Task<ProgramResult> RunHereAsync(string interpreter, string script)
    {
        string work = System.IO.Path.Combine(Tree, "work");
        if (Directory.Exists(work))
        {
            Directory.Delete(work, recursive: true);
        }

        Directory.CreateDirectory(work);
        File.Copy(System.IO.Path.Combine(Scripts, script), System.IO.Path.Combine(Tree, script), overwrite: true);
        string[] rights = Environment.IsPrivilegedProcess ? [] : ["--map-root-user"];
        string enter = """ip link set lo up && mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@" """;
        return await Rack.HostAsync(
            Rack.Root, ["unshare", "--mount", "--net", .. rights, "sh", "-c", enter, Tree, .. Program(interpreter, script)]);
    }

    /// <summary>The same on a rack that works on a copy of the volume.</summary>
    public Task<ProgramResult> RunThereAsync(string interpreter, string script, params string[] options) =>
        Rack.RunAsync(["--volume", s_name, "--add", $"{Scripts}/{script}:/{script}", .. options], [.. Program(interpreter, script)]);

    /// <summary>Any shell line on a rack that works on a copy of the volume, with its counters.</summary>
    public Task<(ProgramResult Result, Statistics Statistics)> MeasureAsync(string line, params string[] options) =>
        Rack.MeasureAsync(["--volume", s_name, "--add", $"{Scripts}/shell.sh:/shell.sh", .. options],
            ["/usr/bin/env", "-i", Path, Home, "bash", "-c", line]);

    private static IEnumerable<string> Program(string interpreter, string script) =>
        ["/usr/bin/env", "-i", Path, Home, "bash", "-c", $"mkdir -p /work && cd /work && exec {interpreter} /{script}"];
}
