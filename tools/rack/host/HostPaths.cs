// Where the tool's files are. The built images and the volumes live under out/ of the repository; what belongs to a running rack (sockets,
// logs, locks) lives in a directory per user and checkout under $XDG_RUNTIME_DIR or /tmp, so that two checkouts never meet.

using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Directories and files outside of a single rack.</summary>
internal static class HostPaths
{
    /// <summary>A unix socket's path has at most 107 bytes (unix(7)); longer runtime directories are not used.</summary>
    private const int MostRuntimePathBytes = 50;
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>The checkout: the directory with the launcher.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The rack tool, which is also the program of a rack's network helpers; fails when it has not been built.</summary>
    public static string Tool => Built(Path.Combine(Out, "tools", "lego.dll"));

    /// <summary>The dotnet program that runs this process's library, whatever started it.</summary>
    public static string Dotnet { get; } =
        Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    public static string Out => Path.Combine(Root, "out");

    public static string Volumes => Path.Combine(Out, "volumes");

    public static string SharedMemory => "/dev/shm";

    /// <summary>The image of this name, often that of a kind of component; fails when it has not been built.</summary>
    public static string Image(string name) => Built(Path.Combine(Out, "images", name + ".elf"), Path.Combine("boot", name));

    /// <summary>Directory of this user's racks, all checkouts; made when missing.</summary>
    public static string AllRacks { get; } = MakeAllRacks();

    /// <summary>Directory of this checkout's racks; made when missing.</summary>
    public static string Racks { get; } = Directory.CreateDirectory(Path.Combine(AllRacks, CheckoutHash()), Private).FullName;

    /// <summary>Logs of the last foreground rack.</summary>
    public static string LastLogs => Path.Combine(Racks, "last");

    /// <summary>Adds the directories of system programs to PATH: mke2fs and debugfs are in /usr/sbin, which users lack on Debian.</summary>
    public static void AddSystemDirectories()
    {
        const string Directories = ":/usr/sbin:/sbin";
        string path = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin";
        if (!path.EndsWith(Directories, StringComparison.Ordinal))
        {
            Environment.SetEnvironmentVariable("PATH", path + Directories);
        }
    }

    /// <summary>True when a program is in PATH.</summary>
    public static bool HasProgram(string name)
    {
        foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'))
        {
            if (directory.Length > 0 && File.Exists(Path.Combine(directory, name)))
            {
                return true;
            }
        }

        return false;
    }

    private static string Built(string path, string project = "LegoKernel.sln") =>
        File.Exists(path) ? path : throw ToolException.Host($"{path} is missing; build it with: dotnet build {project}");

    // Above the program itself; a script is built elsewhere, and has the checkout that its library was built from.
    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "LegoKernel.sln")))
            {
                return folder.FullName;
            }
        }

        AssemblyMetadataAttribute built = typeof(HostPaths).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .First(attribute => attribute.Key == "RepositoryRoot");
        return Path.TrimEndingDirectorySeparator(built.Value!);
    }

    private static string MakeAllRacks()
    {
        string? runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        string path = runtime is { Length: > 0 and < MostRuntimePathBytes } && Directory.Exists(runtime)
            ? Path.Combine(runtime, "lego")
            : $"/tmp/lego-{Syscall.getuid()}";
        Directory.CreateDirectory(path, Private);
        // /tmp is everybody's: somebody else may have made a directory of this name first.
        if (Syscall.stat(path, out Stat status) != 0 || status.st_uid != Syscall.getuid())
        {
            throw ToolException.Host($"{path} belongs to another user; set XDG_RUNTIME_DIR to a directory of your own");
        }

        return path;
    }

    private static string CheckoutHash() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Root)))[..8];
}
