// The volume that every run begins with: made once by mke2fs, with the stand-in programs in /bin, a place for files, and the same again for
// each of two vNodes.

using System;
using System.Diagnostics;
using System.IO;

namespace Lego.Simulation;

/// <summary>An ext4 image in memory.</summary>
internal static class VolumeTemplate
{
    private const string Size = "8M";

    private static byte[]? s_image;

    internal static byte[] Image => s_image ??= Make();

    /// <summary>Names of vNodes that have a tree.</summary>
    internal static string[] VNodes { get; } = ["one", "two"];

    /// <summary>The directory that a vNode's programs see as "/".</summary>
    internal static string RootOf(string vnode) => $"/vnodes/{vnode}";

    private static byte[] Make()
    {
        string directory = Directory.CreateTempSubdirectory("lego-simulation-").FullName;
        try
        {
            string source = Path.Combine(directory, "source");
            MakeTree(source);
            foreach (string vnode in VNodes)
            {
                MakeTree(source + RootOf(vnode));
            }

            string image = Path.Combine(directory, "volume.img");
            Run("truncate", "-s", Size, image);
            // A fixed hash seed and UUID: the same image in every process.
            Run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-O", "^has_journal", "-N", "256", "-U", "5ea1ab1e-0000-4000-8000-000000000000",
                "-E", "hash_seed=5ea1ab1e-0000-4000-8000-000000000001,root_owner=0:0", "-d", source, image);
            return File.ReadAllBytes(image);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static void MakeTree(string root)
    {
        Directory.CreateDirectory(Path.Combine(root, "bin"));
        Directory.CreateDirectory(Path.Combine(root, "tmp"));
        for (int number = 0; number < StandInElf.Count; number++)
        {
            string path = Path.Combine(root, "bin", StandInElf.NameOf(number));
            File.WriteAllBytes(path, StandInElf.Make(number));
            File.SetUnixFileMode(path, (UnixFileMode)0x1ED);
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["E2FSPROGS_FAKE_TIME"] = "1800000000";
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{program} does not start");
        string output = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: status {process.ExitCode}\n{output}");
        }
    }
}
