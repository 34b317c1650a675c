// The --add HOST:GUEST option: host files and directories that a run's throw-away volume gets. Parsing and planning are pure; Ext4Image
// runs the resulting debugfs script. Modes are kept, owners become root, symbolic links inside directories stay links.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>One --add option.</summary>
public sealed record AddedFile(string HostPath, string GuestPath)
{
    /// <summary>Room besides the files' bytes: directory blocks, extent blocks.</summary>
    private const long SpareBytes = 4 * ByteSize.MiB;
    private const long BlockBytes = 4096;

    /// <summary>A directory's tree, hidden files and all, without what links in it lead to.</summary>
    private static readonly EnumerationOptions s_tree = new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.ReparsePoint,
    };

    /// <summary>Reads HOST:GUEST; the last colon separates, GUEST is absolute, and a GUEST that ends in a slash is a directory.</summary>
    public static AddedFile Parse(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon <= 0 || colon == text.Length - 1)
        {
            throw ToolException.Usage($"--add {text}: write HOST:GUEST, for example --add data.txt:/tmp/data.txt");
        }

        string host = text[..colon];
        string guest = text[(colon + 1)..];
        if (!guest.StartsWith('/'))
        {
            throw ToolException.Usage($"--add {text}: the guest path must begin with /");
        }

        if (!Path.Exists(host))
        {
            throw ToolException.Usage($"--add {text}: there is no {host} on the host");
        }

        if (!Directory.Exists(host))
        {
            CheckKind(host);
        }

        if (guest.EndsWith('/'))
        {
            guest += Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(host)));
        }

        return new AddedFile(Path.GetFullPath(host), Normalise(guest));
    }

    /// <summary>Puts the files into an image, which grows when it must.</summary>
    public static async Task PutAllAsync(IReadOnlyList<AddedFile> files, string imagePath)
    {
        if (files.Count == 0)
        {
            return;
        }

        long neededBytes = SpareBytes + files.Sum(f => f.SizeBytes());
        long missingBytes = neededBytes - Ext4Image.FreeBytes(imagePath);
        if (missingBytes > 0)
        {
            // A file system needs about a fiftieth for its own tables.
            await Ext4Image.GrowAsync(imagePath, (missingBytes + (missingBytes / 32) + SpareBytes) / ByteSize.MiB * ByteSize.MiB);
        }

        string[] directories = [.. files.SelectMany(f => f.Directories()).Distinct()];
        HashSet<string> missing = await MissingAsync(imagePath, directories);
        await Ext4Image.EditAsync(imagePath,
            [.. directories.Where(missing.Contains).SelectMany(MakeDirectory), .. files.SelectMany(f => f.Script())]);
        missing = await MissingAsync(imagePath, [.. files.Select(f => f.GuestPath)]);
        if (missing.Count > 0)
        {
            throw ToolException.Host($"--add did not work: {missing.First()} is not in the volume");
        }
    }

    /// <summary>The guest directories that must exist, outermost first: the parents, and what the host directory contains.</summary>
    public IEnumerable<string> Directories()
    {
        string parent = "";
        foreach (string name in GuestPath.Split('/', StringSplitOptions.RemoveEmptyEntries).SkipLast(1))
        {
            parent += "/" + name;
            yield return parent;
        }

        if (!Directory.Exists(HostPath))
        {
            yield break;
        }

        yield return GuestPath;
        foreach (string inner in Directory.EnumerateDirectories(HostPath, "*", s_tree).Order(StringComparer.Ordinal))
        {
            yield return GuestPath + "/" + Path.GetRelativePath(HostPath, inner);
        }
    }

    /// <summary>The debugfs commands that make the guest path a copy of the host's; its directories exist.</summary>
    public IEnumerable<string> Script() => ScriptFor(HostPath, GuestPath);

    // Asked before and not left to mkdir: debugfs's mkdir of an existing directory leaks a block and an inode.
    private static async Task<HashSet<string>> MissingAsync(string imagePath, string[] paths)
    {
        string[] complaints = await Ext4Image.EditAsync(imagePath, paths.Select(p => $"stat {Ext4Image.Quote(p)}"));
        return [.. paths.Where(p => complaints.Any(c => c.StartsWith(p + ": ", StringComparison.Ordinal)))];
    }

    private static IEnumerable<string> MakeDirectory(string guest) =>
        [EnterParentOf(guest), $"mkdir {Ext4Image.Quote(Path.GetFileName(guest))}"];

    private static IEnumerable<string> ScriptFor(string host, string guest)
    {
        FileInfo info = new(host);
        string quoted = Ext4Image.Quote(guest);
        if (Directory.Exists(host))
        {
            yield return $"set_inode_field {quoted} mode 0{Convert.ToString((int)info.UnixFileMode | 0x4000, 8)}";
            foreach (string entry in Directory.EnumerateFileSystemEntries(host).Order(StringComparer.Ordinal))
            {
                string inner = guest + "/" + Path.GetFileName(entry);
                IEnumerable<string> commands = new FileInfo(entry).LinkTarget is { } target
                    ? ScriptForLink(inner, target)
                    : ScriptFor(entry, inner);
                foreach (string command in commands)
                {
                    yield return command;
                }
            }

            yield break;
        }

        CheckKind(host);
        UnixFileMode mode = info.ResolveLinkTarget(returnFinalTarget: true)?.UnixFileMode ?? info.UnixFileMode;
        yield return $"rm {quoted}";
        yield return EnterParentOf(guest);
        yield return $"write {Ext4Image.Quote(host)} {Ext4Image.Quote(Path.GetFileName(guest))}";
        yield return $"set_inode_field {quoted} mode 0{Convert.ToString((int)mode | 0x8000, 8)}";
        yield return $"set_inode_field {quoted} uid 0";
        yield return $"set_inode_field {quoted} gid 0";
    }

    // debugfs would wait for a writer of a FIFO for ever, and take a device for a file without end.
    private static void CheckKind(string host)
    {
        if (Syscall.stat(host, out Stat status) != 0)
        {
            throw ToolException.Usage(host.Contains('\uFFFD')
                ? $"--add: the name of {host} is not UTF-8; such a file cannot be put into a volume today"
                : $"--add: {host}: {Stdlib.strerror(Stdlib.GetLastError())}");
        }

        if ((status.st_mode & FilePermissions.S_IFMT) != FilePermissions.S_IFREG)
        {
            throw ToolException.Usage(
                $"--add: {host} is neither a file nor a directory; FIFOs, sockets and devices cannot be put into a volume");
        }
    }

    private static IEnumerable<string> ScriptForLink(string guest, string target)
    {
        yield return $"rm {Ext4Image.Quote(guest)}";
        yield return EnterParentOf(guest);
        yield return $"symlink {Ext4Image.Quote(Path.GetFileName(guest))} {Ext4Image.Quote(target)}";
    }

    private long SizeBytes()
    {
        if (!Directory.Exists(HostPath))
        {
            return RoundUp(new FileInfo(HostPath).Length);
        }

        return new DirectoryInfo(HostPath).EnumerateFiles("*", s_tree).Sum(f => RoundUp(f.Length) + BlockBytes);
    }

    private static long RoundUp(long bytes) => (bytes + BlockBytes - 1) / BlockBytes * BlockBytes;

    // debugfs makes names in its current directory; a path in their place works only below the root.
    private static string EnterParentOf(string guest) =>
        $"cd {Ext4Image.Quote(guest.LastIndexOf('/') is > 0 and int slash ? guest[..slash] : "/")}";

    private static string Normalise(string guest)
    {
        string[] names = guest.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (names.Length == 0 || names.Any(n => n is "." or ".."))
        {
            throw ToolException.Usage($"--add: {guest} is no path for a file");
        }

        return "/" + string.Join('/', names);
    }
}
