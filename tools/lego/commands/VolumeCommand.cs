// `lego volume`: makes and lists the ext4 images that racks work on.

using System;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The volume command and its subcommands.</summary>
internal static class VolumeCommand
{
    /// <summary>Free room in a new volume when --size is not given.</summary>
    private const long DefaultFreeBytes = ByteSize.GiB;

    public static Command Create()
    {
        Command command = new("volume", "Make and list volumes (ext4 images under out/volumes).");
        command.Subcommands.Add(CreateCreate());
        command.Subcommands.Add(CreateList());
        return command;
    }

    private static Command CreateCreate()
    {
        Command command = new("create",
            "Make a volume from a directory or from Debian packages. Packages are resolved by apt-cache, fetched by apt-get download with "
            + "all their dependencies, and unpacked by dpkg-deb; root is not needed and the host's own packages are not touched.");
        Argument<string> name = new("NAME") { Description = "Letters, digits, '-', '_', '.'." };
        Option<string?> from = new("--from") { Description = "Copy this directory.", HelpName = "DIR" };
        Option<string?> packages = new("--packages") { Description = "Unpack these packages, separated by commas.", HelpName = "PKG,..." };
        Option<string?> size = new("--size") { Description = "Size of the image (default: the content and 1G more).", HelpName = "SIZE" };
        command.Arguments.Add(name);
        command.Options.Add(from);
        command.Options.Add(packages);
        command.Options.Add(size);
        command.SetAction(async result =>
        {
            string? directory = result.GetValue(from);
            string? list = result.GetValue(packages);
            if ((directory is null) == (list is null))
            {
                throw ToolException.Usage("volume create: give either --from DIR or --packages PKG,...");
            }

            long? sizeBytes = result.GetValue(size) is { } text ? ByteSize.Parse(text, "--size") : null;
            return await CreateAsync(result.GetValue(name)!, directory, list, sizeBytes);
        });
        return command;
    }

    private static async Task<int> CreateAsync(string name, string? directory, string? packages, long? sizeBytes)
    {
        string image = VolumeStore.PathOf(name);
        if (directory is not null && !Directory.Exists(directory))
        {
            throw ToolException.Usage($"volume create: {directory} is not a directory");
        }

        using LockFile held = VolumeStore.LockVolume(name);
        if (File.Exists(image))
        {
            throw ToolException.Usage($"the volume {name} exists; remove {image} first");
        }

        Progress progress = new(ProgressStyle.Open);
        string tree = directory ?? Path.Combine(HostPaths.Volumes, $".{name}.tree");
        try
        {
            if (packages is not null)
            {
                DefaultVolume.DeleteTree(tree);
                Directory.CreateDirectory(tree);
                await PackageTree.MakeAsync(tree,
                    packages.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries), progress);
            }

            using (progress.Step("making the image"))
            {
                await Ext4Image.MakeAsync(image + ".new", tree, sizeBytes ?? (ContentBytes(tree) + DefaultFreeBytes));
            }

            File.Move(image + ".new", image);
        }
        finally
        {
            File.Delete(image + ".new");
            if (packages is not null)
            {
                DefaultVolume.DeleteTree(tree);
            }
        }

        Console.WriteLine(
            $"volume {name}: {ByteSize.Format(new FileInfo(image).Length)}, {Ext4Image.FreeBytes(image) / ByteSize.MiB}M free");
        return ExitStatus.Success;
    }

    private static Command CreateList()
    {
        Command command = new("list", "List the volumes.");
        command.SetAction(_ =>
        {
            TextTable.Print(["name", "size", "free"], VolumeStore.Names().Select(name =>
            {
                string path = VolumeStore.PathOf(name);
                return new[] { name, ByteSize.Format(new FileInfo(path).Length), $"{Ext4Image.FreeBytes(path) / ByteSize.MiB}M" };
            }));
            return ExitStatus.Success;
        });
        return command;
    }

    // Whole megabytes; a tenth more for the file system's own tables.
    private static long ContentBytes(string tree)
    {
        EnumerationOptions options = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        long bytes = new DirectoryInfo(tree).EnumerateFiles("*", options).Sum(f => f.Length + ComponentDescription.PageBytes);
        return (bytes + (bytes / 10) + ByteSize.MiB) / ByteSize.MiB * ByteSize.MiB;
    }
}
