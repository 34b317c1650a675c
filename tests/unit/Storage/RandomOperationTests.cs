// Random sequences of file-system operations, sent as messages to a storage monitor and done on the host's Linux at the same time: every
// outcome must be equal, and in the end the trees, what debugfs reads back, and e2fsck's verdict.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;
using FileAttributes = Lego.Fabric.Messages.FileAttributes;
using FileMode = Lego.Kernel.FileMode;

namespace Lego.Tests.Storage;

public class RandomOperationTests
{
    private const int MaxFileBytes = 400_000;

    [Theory]
    [InlineData(1, "32M", "", 256)]
    [InlineData(2, "32M", "-b 4096", 64)]
    [InlineData(3, "32M", "-b 2048 -O ^metadata_csum,^has_journal", 64)]
    [InlineData(4, "32M", "-O ^64bit -I 128", 64)]
    public void A_random_sequence_has_the_same_outcome_as_on_Linux(int seed, string size, string options, uint cacheBlocks)
    {
        Random random = new(seed);
        using VolumeImage image = new(size, options);
        using StorageFixture storage = new(image, cacheBlocks);
        using LinuxOracle linux = new();
        for (int step = 0; step < 6000; step++)
        {
            (string what, Errno expected, Errno actual) = DoOne(random, storage, linux);
            Assert.True(expected == actual, $"step {step}: {what}: Linux says {expected}, storage says {actual}");
            if (step % 2000 == 1999)
            {
                AssertTreesEqual(storage, linux.Root, "");
                image.AssertSound();
            }
        }

        string dump = Directory.CreateTempSubdirectory("lego-dump-").FullName;
        image.Debugfs($"rdump / {dump}");
        AssertSameFiles(linux.Root, dump);
        Directory.Delete(dump, recursive: true);
    }

    [Fact]
    public void A_tree_survives_a_remount_with_handles_times_and_contents()
    {
        using VolumeImage image = new("16M");
        FileAttributes before;
        byte[] data = Encoding.ASCII.GetBytes("remember me");
        using (StorageFixture storage = new(image))
        {
            Assert.Equal(Errno.None, storage.MakeNode("/d", FileMode.Directory | 0x1ED));
            Assert.Equal(Errno.None, storage.Open("/d/f", PathFlags.Create, out FileAttributes created));
            Assert.Equal(Errno.None, storage.Write("/d/f", created.Handle, 0, data, out _, timeNs: 4_000_000_000_123_456_789));
            Assert.Equal(Errno.None, storage.Status("/d/f", default, out before));
            Assert.Equal(Errno.None, storage.Sync());
        }

        using StorageFixture again = new(image);
        Assert.Equal(Errno.None, again.Status("", before.Handle, out FileAttributes after));
        Assert.Equal(before, after);
        Assert.Equal(4_000_000_000_123_456_789ul, after.ModifyTimeNs);
        Assert.Equal(data, again.ReadAll("/d/f"));
    }

    private static (string What, Errno Expected, Errno Actual) DoOne(Random random, StorageFixture storage, LinuxOracle linux)
    {
        string path = RandomPath(random);
        string other = RandomPath(random);
        switch (random.Next(13))
        {
            case 0:
            case 1:
                return ($"mkdir {path}", linux.MakeDirectory(path), storage.MakeNode(path, FileMode.Directory | 0x1ED));
            case 2:
                return ($"rmdir {path}", linux.RemoveDirectory(path), storage.Unlink(path, PathFlags.Directory, out _));
            case 3:
                return ($"unlink {path}", linux.Unlink(path), storage.Unlink(path, PathFlags.None, out _));
            case 4:
            case 5:
                return ($"rename {path} {other}", linux.Rename(path, other), storage.Rename(path, other, PathFlags.None, out _));
            case 6:
                return ($"link {path} {other}", linux.Link(path, other), storage.Link(path, other));
            case 7:
                string target = RandomTarget(random);
                Errno made = storage.MakeNode(path, FileMode.SymbolicLink | 0x1FF, target);
                return ($"symlink {target} {path}", linux.MakeLink(target, path), made);
            case 8:
            case 9:
                return WriteOne(random, path, storage, linux);
            case 10:
                int size = random.Next(MaxFileBytes);
                return ($"truncate {path} {size}", linux.Truncate(path, size), TruncateAsProcessorDoes(storage, path, (ulong)size));
            case 11:
                Errno exchanged = storage.Rename(path, other, PathFlags.Exchange, out _);
                return ($"exchange {path} {other}", linux.Exchange(path, other), exchanged);
            default:
                return LookUp(path, storage, linux);
        }
    }

    private static (string What, Errno Expected, Errno Actual) WriteOne(
        Random random, string path, StorageFixture storage, LinuxOracle linux)
    {
        bool exclusive = random.Next(4) == 0;
        byte[] data = new byte[random.Next(1, random.Next(4) == 0 ? FileRequest.MaxTransfer : 3000)];
        random.NextBytes(data);
        int offset = random.Next(random.Next(3) == 0 ? MaxFileBytes - data.Length : 5000);
        Errno expected = linux.Write(path, exclusive, offset, data);
        PathFlags flags = PathFlags.Create | (exclusive ? PathFlags.Exclusive : 0);
        Errno actual = storage.Open(path, flags, out FileAttributes attributes);
        if (actual == Errno.None)
        {
            actual = storage.Write("", attributes.Handle, (ulong)offset, data, out FileWriteReply reply);
            Assert.True(actual != Errno.None || reply.Written == data.Length);
        }

        return ($"write {path} exclusive {exclusive} {data.Length} at {offset}", expected, actual);
    }

    private static (string What, Errno Expected, Errno Actual) LookUp(string path, StorageFixture storage, LinuxOracle linux)
    {
        Errno expected = linux.ReadLink(path, out string wanted);
        Errno actual = storage.ReadLink(path, out string got);
        if (expected == actual)
        {
            Assert.Equal(wanted, got);
            expected = linux.Exists(path);
            actual = storage.Open(path, PathFlags.None, out FileAttributes attributes, out string canonical, out _);
            if (expected == actual && actual == Errno.None)
            {
                Assert.Equal(Errno.None, storage.Open(canonical, PathFlags.NoFollow, out FileAttributes same));
                Assert.Equal(attributes.Handle, same.Handle);
                expected = linux.OpenDirectory(path);
                actual = storage.Open(path, PathFlags.Directory, out _);
            }
        }

        return ($"look up {path}", expected, actual);
    }

    /// <summary>truncate(2) resolves the path first; then the file's memory component asks by handle.</summary>
    private static Errno TruncateAsProcessorDoes(StorageFixture storage, string path, ulong size)
    {
        Errno error = storage.Open(path, PathFlags.None, out FileAttributes attributes);
        return error == Errno.None ? storage.Truncate(path, attributes.Handle, size, out _) : error;
    }

    private static string RandomPath(Random random)
    {
        StringBuilder path = new();
        int depth = random.Next(1, 5);
        for (int level = 0; level < depth; level++)
        {
            path.Append('/').Append(RandomName(random));
            switch (random.Next(20))
            {
                case 0:
                    path.Append("/.");
                    break;
                case 1:
                    path.Append("/..");
                    break;
                case 2:
                    path.Append('/');
                    break;
                default:
                    break;
            }
        }

        return path.ToString();
    }

    private static string RandomName(Random random)
    {
        int choice = random.Next(100);
        return choice == 0 ? new string('n', 256)
            : choice < 4 ? new string((char)('a' + choice), 255)
            : ((char)('a' + (choice % 6))).ToString();
    }

    /// <summary>Never "." or "..": such a link could lead out of the host's directory.</summary>
    private static string RandomTarget(Random random) => random.Next(5) switch
    {
        0 => new string('t', random.Next(1, 200)),
        1 => $"{RandomName(random)}/{RandomName(random)}",
        2 => $"{RandomName(random)}/",
        _ => RandomName(random),
    };

    private static void AssertTreesEqual(StorageFixture storage, string hostRoot, string path)
    {
        List<ListedName> listed = [];
        Assert.Equal(Errno.None, storage.List(path.Length == 0 ? "/" : path, listed, 600));
        string[] names = [.. listed.Select(entry => entry.Name).Where(name => name is not ("." or ".." or "lost+found")).Order()];
        string[] hostNames = [.. new DirectoryInfo(hostRoot + path).GetFileSystemInfos().Select(info => info.Name).Order()];
        Assert.Equal(hostNames, names);
        foreach (string name in names)
        {
            string child = $"{path}/{name}";
            Assert.Equal(Errno.None, storage.Open(child, PathFlags.NoFollow, out FileAttributes attributes));
            FileInfo info = new(hostRoot + child);
            switch (attributes.Mode & FileMode.TypeMask)
            {
                case FileMode.Directory:
                    Assert.True(info.Attributes.HasFlag(System.IO.FileAttributes.Directory));
                    int folders = Directory.GetDirectories(hostRoot + child).Count(folder => new DirectoryInfo(folder).LinkTarget == null);
                    Assert.Equal(2 + folders, (int)attributes.Links);
                    AssertTreesEqual(storage, hostRoot, child);
                    break;
                case FileMode.SymbolicLink:
                    Assert.Equal(Errno.None, storage.ReadLink(child, out string target));
                    Assert.Equal(info.LinkTarget, target);
                    break;
                default:
                    Assert.Equal((ulong)info.Length, attributes.Size);
                    Assert.True(File.ReadAllBytes(hostRoot + child).AsSpan().SequenceEqual(storage.ReadAll(child)), child);
                    break;
            }
        }
    }

    private static void AssertSameFiles(string expected, string actual)
    {
        foreach (FileSystemInfo info in new DirectoryInfo(expected).GetFileSystemInfos())
        {
            string other = Path.Combine(actual, info.Name);
            if (info.LinkTarget != null)
            {
                Assert.Equal(info.LinkTarget, new FileInfo(other).LinkTarget);
            }
            else if (info is DirectoryInfo)
            {
                AssertSameFiles(info.FullName, other);
            }
            else
            {
                Assert.True(File.ReadAllBytes(info.FullName).AsSpan().SequenceEqual(File.ReadAllBytes(other)), info.FullName);
            }
        }
    }
}
