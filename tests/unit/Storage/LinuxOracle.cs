// The host's Linux as the judge of file-system semantics: the same operation on the same tree must give the same error or the same result.

using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Kernel;

namespace Lego.Tests.Storage;

/// <summary>System calls on a directory of the host; paths begin with "/" and mean that directory.</summary>
public sealed partial class LinuxOracle : IDisposable
{
    private const int ReadWrite = 2;
    private const int CreateFlag = 0x40;
    private const int ExclusiveFlag = 0x80;
    private const int DirectoryFlag = 0x10000;

    /// <summary>In memory where possible: other file systems have their own limits (overlayfs).</summary>
    public string Root { get; } = Directory.Exists("/dev/shm")
        ? Directory.CreateDirectory($"/dev/shm/lego-oracle-{Guid.NewGuid():n}").FullName
        : Directory.CreateTempSubdirectory("lego-oracle-").FullName;

    public void Dispose() => Directory.Delete(Root, recursive: true);

    public Errno MakeDirectory(string path) => Outcome(mkdir(Root + path, 0x1ED));

    public Errno RemoveDirectory(string path) => Outcome(rmdir(Root + path));

    public Errno Unlink(string path) => Outcome(unlink(Root + path));

    public Errno Rename(string from, string to) => Outcome(rename(Root + from, Root + to));

    public Errno Exchange(string first, string second)
    {
        const int CurrentDirectory = -100;
        const uint Exchange = 2;
        return Outcome(renameat2(CurrentDirectory, Root + first, CurrentDirectory, Root + second, Exchange));
    }

    public Errno Link(string from, string to) => Outcome(link(Root + from, Root + to));

    public Errno MakeLink(string target, string path) => Outcome(symlink(target, Root + path));

    /// <summary>open(2) of a file for writing, created when missing, then a write at an offset.</summary>
    public Errno Write(string path, bool exclusive, long offset, byte[] data)
    {
        int file = open(Root + path, ReadWrite | CreateFlag | (exclusive ? ExclusiveFlag : 0), 0x1A4);
        if (file < 0)
        {
            return Outcome(file);
        }

        nint written = pwrite(file, data, data.Length, offset);
        Errno error = written == data.Length ? Errno.None : Outcome(-1);
        close(file);
        return error;
    }

    public Errno Truncate(string path, long size) => Outcome(truncate(Root + path, size));

    /// <summary>open(2) with O_DIRECTORY, for reading.</summary>
    public Errno OpenDirectory(string path)
    {
        int file = open(Root + path, DirectoryFlag, 0);
        if (file < 0)
        {
            return Outcome(file);
        }

        close(file);
        return Errno.None;
    }

    /// <summary>The file or directory by its type, through links; None for what exists.</summary>
    public Errno Exists(string path) => Outcome(access(Root + path, 0));

    public Errno ReadLink(string path, out string target)
    {
        byte[] buffer = new byte[4096];
        nint length = readlink(Root + path, buffer, buffer.Length);
        target = length < 0 ? "" : Encoding.UTF8.GetString(buffer, 0, (int)length);
        return length < 0 ? Outcome(-1) : Errno.None;
    }

    private static Errno Outcome(int result) => result >= 0 ? Errno.None : (Errno)Marshal.GetLastPInvokeError();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkdir(string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rmdir(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int oldDirectory, string from, int newDirectory, string to, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int symlink(string target, string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int file);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pwrite(int file, byte[] data, nint length, long offset);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int truncate(string path, long size);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int access(string path, int mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint readlink(string path, byte[] buffer, nint size);
}
