// Debian's kernel for the Linux guest of the side-by-side benches, and the initial file system that boots it to its ext4 volume:
// tools/bench/guest.c and the modules that a virtio disk, ext4 and the network cards need. The package is fetched with apt-get download and
// unpacked without root; nothing of the host changes. Kept under out/linux-guest, and used from there until it is removed.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>A kernel and its initial file system.</summary>
internal sealed record LinuxKernel(string KernelPath, string InitialFilesPath, string Name)
{
    /// <summary>Debian's kernel for virtual machines; it depends on the package of the present version.</summary>
    private const string Package = "linux-image-cloud-amd64";
    private const string InitSource = "tools/bench/guest.c";
    private const UnixFileMode Program = (UnixFileMode)0b111_101_101;

    /// <summary>What the kernel may have as modules; what it has built in is missing among its files.</summary>
    private static readonly string[] s_wanted = ["virtio_pci", "virtio_blk", "virtio_net", "e1000", "crc32c_generic", "ext4"];

    private static string Folder => Path.Combine(HostPaths.Out, "linux-guest");

    /// <summary>The kernel, fetched when it is not there yet.</summary>
    public static async Task<LinuxKernel> EnsureAsync(Progress progress)
    {
        string package = Path.Combine(Folder, "package");
        if (!Directory.Exists(package))
        {
            using IDisposable step = progress.Step("fetching a Linux kernel");
            await FetchAsync(package);
        }

        string boot = Path.Combine(package, "boot");
        string kernel = Directory.EnumerateFiles(boot, "vmlinuz-*").Single();
        string files = Path.Combine(Folder, "initial-files.cpio");
        await PackAsync(package, files);
        return new LinuxKernel(kernel, files, Path.GetFileName(kernel)["vmlinuz-".Length..]);
    }

    private static async Task FetchAsync(string to)
    {
        string archives = Path.Combine(Folder, "archives");
        DefaultVolume.DeleteTree(archives);
        Directory.CreateDirectory(archives);
        string name = await ResolveAsync();
        await HostProgram.RunAsync("apt-get", ["-q", "download", name], archives);
        await HostProgram.RunAsync("dpkg-deb", ["-x", Directory.EnumerateFiles(archives, "*.deb").Single(), to + ".new"]);
        Directory.Move(to + ".new", to);
        DefaultVolume.DeleteTree(archives);
    }

    /// <summary>The package with the files, which the one named above only depends on.</summary>
    private static async Task<string> ResolveAsync()
    {
        HostResult relations = await HostProgram.TryRunAsync("apt-cache", ["depends", Package]);
        if (!relations.Output.Contains("Depends:", StringComparison.Ordinal) && Environment.IsPrivilegedProcess)
        {
            await HostProgram.RunAsync("apt-get", ["-q", "update"]);
            relations = await HostProgram.TryRunAsync("apt-cache", ["depends", Package]);
        }

        string[] names = [.. relations.Output.Split('\n').Select(l => l.Trim().Split(' ')).Where(w => w is ["Depends:", _])
            .Select(w => w[1])];
        return names.FirstOrDefault(n => n.StartsWith("linux-image-", StringComparison.Ordinal))
            ?? throw ToolException.Host($"apt knows no package {Package} (is its list empty? then: sudo apt-get update)");
    }

    /// <summary>
    /// Makes the archive that the kernel unpacks (cpio, "newc": Documentation/driver-api/early-userspace/buffer-format.rst).
    /// </summary>
    private static async Task PackAsync(string package, string archive)
    {
        string tree = archive + ".tree";
        DefaultVolume.DeleteTree(tree);
        Directory.CreateDirectory(Path.Combine(tree, "modules"));
        string init = Path.Combine(tree, "init");
        File.Copy(await CProgram.EnsureAsync(InitSource), init);
        File.SetUnixFileMode(init, Program);
        foreach ((int index, string module) in InOrder(await ModulesAsync(package)).Index())
        {
            string number = index.ToString("00", CultureInfo.InvariantCulture);
            File.Copy(module, Path.Combine(tree, "modules", $"{number}-{Path.GetFileName(module)}"));
        }

        string busybox = DefaultVolume.FindBusybox();
        await HostProgram.RunAsync("sh", ["-c", "\"$1\" find . | \"$1\" cpio -o -H newc > \"$2\"", "sh", busybox, archive], tree);
        DefaultVolume.DeleteTree(tree);
    }

    /// <summary>All modules of a package by name, unpacked where it has compressed ones that may be needed.</summary>
    private static async Task<Dictionary<string, string>> ModulesAsync(string package)
    {
        const string Compressed = ".xz";
        Dictionary<string, string> modules = [];
        foreach (string path in Directory.EnumerateFiles(package, "*.ko*", SearchOption.AllDirectories))
        {
            string file = path;
            bool mayBeNeeded = path.Contains("/fs/", StringComparison.Ordinal) || path.Contains("virtio", StringComparison.Ordinal)
                || path.Contains("/crypto/", StringComparison.Ordinal) || path.Contains("/lib/", StringComparison.Ordinal)
                || path.Contains("failover", StringComparison.Ordinal) || path.Contains("/e1000/", StringComparison.Ordinal);
            if (path.EndsWith(Compressed, StringComparison.Ordinal) && mayBeNeeded)
            {
                await HostProgram.RunAsync("busybox", ["unxz", path]);
                file = path[..^Compressed.Length];
            }

            modules[NameOf(file)] = file;
        }

        return modules;
    }

    /// <summary>The wanted modules and what they need, each after what it needs.</summary>
    private static List<string> InOrder(Dictionary<string, string> modules)
    {
        List<string> order = [];
        void Add(string name)
        {
            if (modules.TryGetValue(name, out string? file) && !order.Contains(file))
            {
                foreach (string needed in NeedsOf(file))
                {
                    Add(needed);
                }

                order.Add(file);
            }
        }

        Array.ForEach(s_wanted, Add);
        return order;
    }

    /// <summary>What a module says of itself in its section .modinfo: "depends=a,b".</summary>
    private static string[] NeedsOf(string file)
    {
        ReadOnlySpan<byte> bytes = File.ReadAllBytes(file);
        ReadOnlySpan<byte> key = "\0depends="u8;
        int start = bytes.IndexOf(key);
        if (start < 0)
        {
            return [];
        }

        ReadOnlySpan<byte> value = bytes[(start + key.Length)..];
        return Encoding.ASCII.GetString(value[..value.IndexOf((byte)0)]).Split(',', StringSplitOptions.RemoveEmptyEntries);
    }

    private static string NameOf(string file) => Path.GetFileName(file).Split('.')[0].Replace('-', '_');
}
