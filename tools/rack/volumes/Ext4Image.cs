// Raw ext4 images on the host, handled without mounting and without root: made by mke2fs -d, changed by debugfs, grown by resize2fs, copied
// sparsely. The superblock's free count is read directly (ext4 documentation, "Super Block": 1024 bytes into the image).

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Operations on an ext4 image file.</summary>
internal static class Ext4Image
{
    private const int SuperblockOffset = 1024;
    private const int SuperblockBytes = 1024;
    private const int MagicOffset = 0x38;
    private const ushort Magic = 0xEF53;
    private const int StateOffset = 0x3A;
    private const ushort CleanState = 1;
    /// <summary>e2fsck(8): up to this status the file system is right, perhaps only now.</summary>
    private const int RepairedStatus = 1;
    private const int FreeBlocksLowOffset = 0x0C;
    private const int FreeBlocksHighOffset = 0x158;
    private const int BlockSizeOffset = 0x18;

    /// <summary>Makes an image of the given size from a directory tree; everything belongs to root.</summary>
    public static async Task MakeAsync(string imagePath, string tree, long sizeBytes)
    {
        File.Delete(imagePath);
        string[] arguments =
        [
            "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-L", "lego", "-E", "root_owner=0:0,lazy_itable_init=1",
            "-d", tree, imagePath, $"{sizeBytes / ByteSize.KiB}k",
        ];
        await HostProgram.RunAsync("mke2fs", arguments);
        // mke2fs copies the owners of the tree; without root they are the user's, and a rack's programs are root.
        if (!Environment.IsPrivilegedProcess)
        {
            await EditAsync(imagePath, OwnByRoot(tree));
        }
    }

    /// <summary>Copies an image: shares blocks where the file system can, keeps holes otherwise.</summary>
    public static Task CopyAsync(string from, string to) => HostProgram.RunAsync("cp", ["--reflink=auto", "--sparse=auto", from, to]);

    /// <summary>Bytes that are still free for files.</summary>
    public static long FreeBytes(string imagePath)
    {
        ReadOnlySpan<byte> superblock = ReadSuperblock(imagePath);
        long blockBytes = 1024L << (int)BinaryPrimitives.ReadUInt32LittleEndian(superblock[BlockSizeOffset..]);
        long freeBlocks = BinaryPrimitives.ReadUInt32LittleEndian(superblock[FreeBlocksLowOffset..])
            | ((long)BinaryPrimitives.ReadUInt32LittleEndian(superblock[FreeBlocksHighOffset..]) << 32);
        return freeBlocks * blockBytes;
    }

    /// <summary>
    /// Puts an image right that a storage component was killed with: it marks the volume unclean while it has changes that are not written.
    /// </summary>
    public static async Task RepairIfUncleanAsync(string imagePath)
    {
        if ((BinaryPrimitives.ReadUInt16LittleEndian(ReadSuperblock(imagePath).AsSpan(StateOffset)) & CleanState) != 0)
        {
            return;
        }

        HostResult result = await HostProgram.TryRunAsync("e2fsck", ["-f", "-y", imagePath]);
        if (result.Status > RepairedStatus)
        {
            throw ToolException.Host($"{imagePath} is damaged and e2fsck cannot repair it: {result.LastWords}");
        }
    }

    /// <summary>Makes the image and its file system larger.</summary>
    public static async Task GrowAsync(string imagePath, long byBytes)
    {
        long sizeBytes = new FileInfo(imagePath).Length + byBytes;
        using (FileStream file = File.OpenWrite(imagePath))
        {
            file.SetLength(sizeBytes);
        }

        await HostProgram.RunAsync("resize2fs", ["-f", imagePath]);
    }

    /// <summary>Runs debugfs commands on an image and returns what debugfs complained about, line by line.</summary>
    public static async Task<string[]> EditAsync(string imagePath, IEnumerable<string> commands)
    {
        StringBuilder script = new();
        foreach (string command in commands)
        {
            script.Append(command).Append('\n');
        }

        HostResult result = await HostProgram.TryRunAsync("debugfs", ["-w", "-f", "/dev/stdin", imagePath], input: script.ToString());
        return result.Succeeded
            ? [.. result.Error.Split('\n').Where(l => l.Length > 0 && !l.StartsWith("debugfs ", StringComparison.Ordinal))]
            : throw ToolException.Host($"debugfs failed on {imagePath}: {result.LastWords}");
    }

    /// <summary>A path as one word of a debugfs command: double quotes, inner ones doubled.</summary>
    public static string Quote(string path)
    {
        if (path.Contains('\n'))
        {
            throw ToolException.Usage("a file name with a line break cannot be put into a volume");
        }

        return $"\"{path.Replace("\"", "\"\"")}\"";
    }

    private static byte[] ReadSuperblock(string imagePath)
    {
        byte[] superblock = new byte[SuperblockBytes];
        using FileStream file = File.OpenRead(imagePath);
        file.Position = SuperblockOffset;
        if (file.ReadAtLeast(superblock, SuperblockBytes, throwOnEndOfStream: false) < SuperblockBytes
            || BinaryPrimitives.ReadUInt16LittleEndian(superblock.AsSpan(MagicOffset)) != Magic)
        {
            throw ToolException.Host($"{imagePath} is not an ext4 image");
        }

        return superblock;
    }

    private static IEnumerable<string> OwnByRoot(string tree)
    {
        foreach (string path in Directory.EnumerateFileSystemEntries(tree, "*", new EnumerationOptions
        {
            RecurseSubdirectories = true,
            AttributesToSkip = 0,
        }))
        {
            string inImage = Quote("/" + Path.GetRelativePath(tree, path));
            yield return $"set_inode_field {inImage} uid 0";
            yield return $"set_inode_field {inImage} gid 0";
        }
    }
}
