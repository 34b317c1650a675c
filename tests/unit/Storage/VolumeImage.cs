// A volume of a test: made by mke2fs, used through the storage component's own code, judged by e2fsck and read back by debugfs.

using System;
using System.Diagnostics;
using System.IO;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Storage.Ext4;
using Xunit;

namespace Lego.Tests.Storage;

/// <summary>An image file in the temporary directory and, while mounted, the volume on it.</summary>
public sealed unsafe class VolumeImage : IDisposable
{
    private const ulong MemoryPages = 2048;

    private readonly string _directory = Directory.CreateTempSubdirectory("lego-volume-").FullName;
    private FileBlockDevice? _device;
    private Volume? _volume;
    private void* _memory;

    /// <summary>
    /// Makes an image of <paramref name="size"/> (as mke2fs and truncate take it) with the files that <paramref name="populate"/>
    /// creates.
    /// </summary>
    public VolumeImage(string size, string options = "", Action<string>? populate = null)
    {
        string source = System.IO.Path.Combine(_directory, "source");
        Directory.CreateDirectory(source);
        populate?.Invoke(source);
        Run("truncate", $"-s {size} {Path}");
        Run("mke2fs", $"-q -t ext4 {options} -d {source} {Path}");
        Directory.Delete(source, recursive: true);
    }

    public string Path => System.IO.Path.Combine(_directory, "volume.img");

    public FileBlockDevice Device => _device!;

    public Volume Volume => _volume!;

    /// <summary>Runs a program to its end; a status other than 0 fails the test.</summary>
    public static string Run(string program, string arguments)
    {
        (int status, string output) = Try(program, arguments);
        Assert.True(status == 0, $"{program} {arguments}: status {status}\n{output}");
        return output;
    }

    public Volume Mount(uint cacheBlocks = 256)
    {
        Errno error = TryMount(cacheBlocks);
        Assert.Equal(Errno.None, error);
        return Volume;
    }

    public Errno TryMount(uint cacheBlocks = 256)
    {
        Unmount();
        _memory = NativeMemory.AlignedAlloc((nuint)MemoryPages * PageOperations.PageSize, PageOperations.PageSize);
        _device = new FileBlockDevice(Path);
        return Lego.Storage.Ext4.Volume.Mount(_device, new FrameAllocator(_memory, MemoryPages), cacheBlocks, out _volume);
    }

    /// <summary>Writes everything and has e2fsck look at the volume without touching it.</summary>
    public void AssertSound()
    {
        Assert.Equal(Errno.None, Volume.Sync());
        (int status, string output) = Try("e2fsck", $"-fn {Path}");
        Assert.True(status == 0, output);
    }

    /// <summary>Has e2fsck mend what it finds; what it said.</summary>
    public static string Repair(string path)
    {
        (int status, string output) = Try("e2fsck", $"-fy {path}");
        Assert.True(status <= 1, output);
        return output;
    }

    /// <summary>A file's bytes as debugfs sees them on the synchronised image.</summary>
    public byte[] ReadBack(string path)
    {
        string target = System.IO.Path.Combine(_directory, "read-back");
        File.Delete(target);
        Run("debugfs", $"-R \"dump {path} {target}\" {Path}");
        return File.ReadAllBytes(target);
    }

    public string Debugfs(string command) => Run("debugfs", $"-R \"{command}\" {Path}");

    /// <summary>Changes the unmounted image with debugfs.</summary>
    public string DebugfsWrite(string command) => Run("debugfs", $"-w -R \"{command}\" {Path}");

    public void Unmount()
    {
        _device?.Dispose();
        _device = null;
        _volume = null;
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }

    public void Dispose()
    {
        Unmount();
        Directory.Delete(_directory, recursive: true);
    }

    private static (int Status, string Output) Try(string program, string arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = Environment.GetEnvironmentVariable("PATH") + ":/usr/sbin:/sbin";
        foreach (string folder in new[] { "/usr/sbin", "/sbin" })
        {
            string full = System.IO.Path.Combine(folder, program);
            if (File.Exists(full))
            {
                start.FileName = full;
            }
        }

        using Process process = Process.Start(start)!;
        System.Threading.Tasks.Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
