// The volume that programs find when the user names none: Debian's busybox-static with a link for each of its applets, and the handful of
// files that programs expect in /etc. Made at first use, again when busybox or this recipe changes; no root needed.

using System;
using System.Buffers.Binary;
using System.IO;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Makes the tree and the image of the default volume.</summary>
internal static class DefaultVolume
{
    /// <summary>Apparent size; the image is sparse.</summary>
    public const long SizeBytes = 2 * ByteSize.GiB;
    /// <summary>Goes up with every change of the recipe, so that old images are not used.</summary>
    private const int Recipe = 2;
    private const UnixFileMode PublicDirectory = (UnixFileMode)0b111_101_101;
    private const UnixFileMode PublicFile = (UnixFileMode)0b110_100_100;
    private const UnixFileMode Program = PublicDirectory;
    private const UnixFileMode TemporaryDirectory = (UnixFileMode)0b001_111_111_111;
    private const UnixFileMode PrivateDirectory = (UnixFileMode)0b111_000_000;

    private static readonly string[] s_directories =
    [
        "bin", "sbin", "usr/bin", "usr/sbin", "usr/lib", "usr/share", "usr/local/bin", "etc", "dev", "proc", "sys", "run", "home", "mnt",
        "opt", "srv", "var/log", "var/lib", "var/cache",
    ];

    private static readonly (string Path, string Text)[] s_files =
    [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
        ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        ("etc/hosts", "127.0.0.1\tlocalhost lego\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
        ("etc/resolv.conf", $"nameserver {CardArguments.UserNameServer}\n"),
        ("etc/hostname", "lego\n"),
        ("etc/shells", "/bin/sh\n"),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n"),
        ("etc/protocols", "ip\t0\nicmp\t1\ntcp\t6\nudp\t17\nipv6-icmp\t58\n"),
        ("etc/services",
            "ftp\t21/tcp\nssh\t22/tcp\ntelnet\t23/tcp\ndomain\t53/tcp\ndomain\t53/udp\nhttp\t80/tcp\nntp\t123/udp\nhttps\t443/tcp\n"),
    ];

    /// <summary>The image, made when it is missing.</summary>
    public static async Task<string> EnsureAsync(Progress progress)
    {
        string busybox = FindBusybox();
        string key = $"{Recipe}-{File.GetLastWriteTimeUtc(busybox).Ticks / TimeSpan.TicksPerSecond:x}";
        string image = Path.Combine(HostPaths.Volumes, $".default-{key}.img");
        if (File.Exists(image))
        {
            return image;
        }

        Directory.CreateDirectory(HostPaths.Volumes);
        using LockFile making = LockFile.Take(Path.Combine(HostPaths.Volumes, ".default.lock"), TimeSpan.FromMinutes(1),
            "another ./lego has been making the default volume for a minute");
        if (!File.Exists(image))
        {
            using IDisposable step = progress.Step("making the default volume from busybox-static");
            string tree = Path.Combine(HostPaths.Volumes, ".default.tree");
            DeleteTree(tree);
            await MakeTreeAsync(tree, busybox);
            await Ext4Image.MakeAsync(image + ".new", tree, SizeBytes);
            DeleteTree(tree);
            File.Move(image + ".new", image);
        }

        return image;
    }

    /// <summary>Directories, /etc files and busybox with its applet links.</summary>
    public static async Task MakeTreeAsync(string tree, string busybox)
    {
        MakeSkeleton(tree);
        string copy = Path.Combine(tree, "bin", "busybox");
        File.Copy(busybox, copy);
        File.SetUnixFileMode(copy, Program);
        string applets = await HostProgram.RunAsync(busybox, ["--list-full"]);
        foreach (string applet in applets.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string link = Path.Combine(tree, applet);
            if (!Path.Exists(link))
            {
                File.CreateSymbolicLink(link, "/bin/busybox");
            }
        }
    }

    /// <summary>The directories and /etc files alone.</summary>
    public static void MakeSkeleton(string tree)
    {
        foreach (string directory in s_directories)
        {
            MakeDirectory(Path.Combine(tree, directory), PublicDirectory);
        }

        MakeDirectory(Path.Combine(tree, "tmp"), TemporaryDirectory);
        MakeDirectory(Path.Combine(tree, "var/tmp"), TemporaryDirectory);
        MakeDirectory(Path.Combine(tree, "root"), PrivateDirectory);
        foreach ((string path, string text) in s_files)
        {
            string file = Path.Combine(tree, path);
            if (!File.Exists(file))
            {
                File.WriteAllText(file, text);
                File.SetUnixFileMode(file, PublicFile);
            }
        }
    }

    /// <summary>Debian's static busybox on the host.</summary>
    public static string FindBusybox()
    {
        foreach (string path in new[] { "/bin/busybox", "/usr/bin/busybox" })
        {
            if (File.Exists(path) && IsStatic(path))
            {
                return path;
            }
        }

        throw ToolException.Host("there is no static busybox; install it with: sudo apt-get install busybox-static");
    }

    /// <summary>True for an ELF file without a program interpreter (elf(5), PT_INTERP).</summary>
    public static bool IsStatic(string path)
    {
        const int HeaderBytes = 64;
        const int TableOffsetField = 32;
        const int EntryBytesField = 54;
        const int EntryCountField = 56;
        const uint Interpreter = 3;
        ReadOnlySpan<byte> file = File.ReadAllBytes(path);
        if (file.Length < HeaderBytes || !file.StartsWith("\u007FELF"u8))
        {
            return false;
        }

        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(file[TableOffsetField..]);
        int entryBytes = BinaryPrimitives.ReadUInt16LittleEndian(file[EntryBytesField..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(file[EntryCountField..]);
        for (int i = 0; i < count; i++)
        {
            ulong entry = table + (ulong)(i * entryBytes);
            if (entry + sizeof(uint) > (ulong)file.Length || BinaryPrimitives.ReadUInt32LittleEndian(file[(int)entry..]) == Interpreter)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Removes a tree; links in it are removed, not followed.</summary>
    public static void DeleteTree(string tree)
    {
        if (Directory.Exists(tree))
        {
            Directory.Delete(tree, recursive: true);
        }
    }

    private static void MakeDirectory(string path, UnixFileMode mode)
    {
        Directory.CreateDirectory(path);
        File.SetUnixFileMode(path, mode);
    }
}
