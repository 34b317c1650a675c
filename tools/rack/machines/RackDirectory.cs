// The directory of one running rack: its lock, the keeper's socket, the machines' process ids, serial logs, and a list of files and
// directories elsewhere that must not outlive it (ring regions in /dev/shm, throw-away volumes). Whoever holds the lock owns the rack.
// Sweep removes what dead owners left: every start of the tool calls it, so a kill of the tool never leaves anything for longer than until
// the next start.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>A rack's files.</summary>
internal sealed class RackDirectory : IDisposable
{
    private const string UpName = "up";
    private const int MostNameLength = 24;
    /// <summary>Name of the keeper's socket in it.</summary>
    public const string SocketName = "keeper";
    private const string LockName = "lock";
    private const string OwnedName = "owned";
    private const string ProcessesName = "processes";
    private static readonly TimeSpan s_guardLimit = TimeSpan.FromSeconds(10);

    private readonly LockFile _lock;

    private RackDirectory(string path, LockFile held)
    {
        Path = path;
        _lock = held;
        Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
    }

    public string Path { get; }

    /// <summary>Random name, part of the names of files elsewhere.</summary>
    public string Id { get; }

    public string SocketPath => System.IO.Path.Combine(Path, SocketName);

    public string SerialLog(string component) => System.IO.Path.Combine(Path, component + ".log");

    public string SwitchLog => System.IO.Path.Combine(Path, "switch.log");

    public string WireLog => System.IO.Path.Combine(Path, "wire.log");

    public string QemuLog(string component) => System.IO.Path.Combine(Path, component + ".qemu");

    public string Monitor(string component) => System.IO.Path.Combine(Path, component + ".qmp");

    /// <summary>
    /// Name of the directory of the rack that `lego up` started with that name, or without one. Those of racks for one command have none of
    /// these.
    /// </summary>
    /// <exception cref="ToolException">The name is none.</exception>
    public static string UpNameOf(string? rack) =>
        rack is null ? UpName
        : rack.Length is > 0 and <= MostNameLength && rack.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') ? $"{UpName}-{rack}"
        : throw ToolException.Usage($"'{rack}' is no name for a rack; use up to {MostNameLength} letters, digits and '-'");

    /// <summary>Makes the directory of a new rack; null when a living rack has that name.</summary>
    public static RackDirectory? TryCreate(string name)
    {
        using LockFile guard = Guard();
        string path = System.IO.Path.Combine(HostPaths.Racks, name);
        // Sockets, logs and the volume's copy are the owner's alone.
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return LockFile.TryTake(System.IO.Path.Combine(path, LockName)) is { } held ? new RackDirectory(path, held) : null;
    }

    /// <summary>
    /// Directories of this checkout's living racks: of all, first the one that is up without a name; or of the one that is up with that
    /// name.
    /// </summary>
    public static IEnumerable<string> Living(string? rack = null) => Directory.EnumerateDirectories(HostPaths.Racks)
        .Where(d => File.Exists(System.IO.Path.Combine(d, SocketName)))
        .Where(d => rack is null || System.IO.Path.GetFileName(d) == UpNameOf(rack))
        .OrderBy(d => System.IO.Path.GetFileName(d) != UpName).ThenBy(d => d, StringComparer.Ordinal);

    /// <summary>Notes a file elsewhere that goes when the rack goes; call before making the file.</summary>
    public void Own(string file) => File.AppendAllText(System.IO.Path.Combine(Path, OwnedName), file + "\n");

    /// <summary>Notes a machine's process.</summary>
    public void OwnProcess(int id) => File.AppendAllText(System.IO.Path.Combine(Path, ProcessesName), $"{id}\n");

    /// <summary>Removes everything of this rack; its machines must have ended.</summary>
    public void Dispose() => Dispose([]);

    /// <summary>The same, but the serial logs of these components become those of the last rack.</summary>
    public void Dispose(IEnumerable<string> logged)
    {
        // Also against another rack that ends now and leaves its logs.
        using LockFile guard = Guard();
        try
        {
            SaveLogs(logged);
        }
        finally
        {
            Remove(Path);
            _lock.Dispose();
        }
    }

    /// <summary>Removes the racks of dead owners: their machines, their files.</summary>
    public static void Sweep()
    {
        using LockFile guard = Guard();
        foreach (string checkout in Directory.EnumerateDirectories(HostPaths.AllRacks))
        {
            foreach (string rack in Directory.EnumerateDirectories(checkout))
            {
                string lockPath = System.IO.Path.Combine(rack, LockName);
                if (File.Exists(lockPath) && LockFile.TryTake(lockPath) is { } free)
                {
                    KillProcesses(rack);
                    string name = System.IO.Path.GetFileName(rack);
                    if (name == UpName || name.StartsWith($"{UpName}-", StringComparison.Ordinal))
                    {
                        FallenRack.Note(checkout, name, "its keeper was killed");
                    }

                    Remove(rack);
                    free.Dispose();
                }
            }
        }
    }

    private void SaveLogs(IEnumerable<string> components)
    {
        string[] logs = [.. components.Select(SerialLog).Where(File.Exists)];
        if (logs.Length == 0)
        {
            return;
        }

        Directory.CreateDirectory(HostPaths.LastLogs);
        foreach (string old in Directory.EnumerateFiles(HostPaths.LastLogs))
        {
            File.Delete(old);
        }

        foreach (string log in logs)
        {
            File.Copy(log, System.IO.Path.Combine(HostPaths.LastLogs, System.IO.Path.GetFileName(log)));
        }
    }

    // Creation and sweeping exclude each other: between making a directory and locking it, it looks like a dead owner's.
    private static LockFile Guard() =>
        LockFile.Take(System.IO.Path.Combine(HostPaths.AllRacks, "guard"), s_guardLimit,
        $"another ./lego holds {HostPaths.AllRacks}/guard");

    private static void KillProcesses(string rack)
    {
        foreach (string line in Lines(rack, ProcessesName))
        {
            // A process id may be somebody else's by now; a machine of this rack has the rack's directory in its command line.
            if (int.TryParse(line, out int id) && ReadCommandLine(id).Contains(rack, StringComparison.Ordinal))
            {
                Syscall.kill(id, Signum.SIGKILL);
            }
        }
    }

    private static string ReadCommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    private static void Remove(string rack)
    {
        // A file may have gone with all of its checkout.
        foreach (string file in Lines(rack, OwnedName))
        {
            Delete(file);
        }

        Directory.Delete(rack, recursive: true);
    }

    private static void Delete(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                Directory.Delete(path, recursive: true);
            }
            else if (File.Exists(path))
            {
                File.Delete(path);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // Whoever cannot remove a leftover must be able to start all the same.
            Console.Error.WriteLine($"lego: warning: cannot remove {path}: {error.Message}");
        }
    }

    private static string[] Lines(string rack, string name)
    {
        string path = System.IO.Path.Combine(rack, name);
        return File.Exists(path) ? File.ReadAllLines(path) : [];
    }
}
