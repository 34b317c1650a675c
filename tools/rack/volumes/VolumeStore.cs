// The volumes of this checkout: out/volumes/NAME.img, one lock file each. A rack works either on a named volume itself, which it locks and
// whose changes stay, or on a throw-away copy (no name given, or files added), which goes with the rack.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>A volume in use by one rack.</summary>
internal sealed record VolumeLease(string ImagePath, LockFile? Lock) : IDisposable
{
    /// <summary>True when what programs write stays after the rack.</summary>
    public bool IsPersistent => Lock is not null;

    public void Dispose() => Lock?.Dispose();
}

/// <summary>Finds, lists and leases volumes.</summary>
internal static class VolumeStore
{
    private const string Extension = ".img";
    private const int MostNameLength = 64;

    /// <summary>The path of a volume's image; the name is checked, existence is not.</summary>
    public static string PathOf(string name)
    {
        bool isGood = name.Length is > 0 and <= MostNameLength && char.IsAsciiLetterOrDigit(name[0])
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
        return isGood
            ? Path.Combine(HostPaths.Volumes, name + Extension)
            : throw ToolException.Usage($"'{name}' is no name for a volume; use letters, digits, '-', '_' and '.'");
    }

    /// <summary>Names of the volumes that the user has made.</summary>
    public static IEnumerable<string> Names()
    {
        if (!Directory.Exists(HostPaths.Volumes))
        {
            return [];
        }

        return Directory.EnumerateFiles(HostPaths.Volumes, "*" + Extension)
            .Select(f => Path.GetFileNameWithoutExtension(f)!).Where(n => !n.StartsWith('.')).Order(StringComparer.Ordinal);
    }

    /// <summary>Takes a volume's lock, or fails because a rack (or another command) uses it.</summary>
    public static LockFile LockVolume(string name)
    {
        Directory.CreateDirectory(HostPaths.Volumes);
        return LockFile.TryTake(Path.Combine(HostPaths.Volumes, $".{name}.lock"))
            ?? throw ToolException.Usage($"the volume {name} is in use by a rack or another command");
    }

    /// <summary>Prepares the volume of a rack: the named one, or a copy of it or of the default one with the added files.</summary>
    public static async Task<VolumeLease> LeaseAsync(string? name, IReadOnlyList<AddedFile> added, RackDirectory directory,
        Progress progress)
    {
        if (name is null)
        {
            return await CopyAsync(await DefaultVolume.EnsureAsync(progress), added, directory, progress);
        }

        string path = PathOf(name);
        if (!File.Exists(path))
        {
            throw ToolException.Usage($"there is no volume {name}; `./lego volume list` names them, `./lego volume create` makes one");
        }

        LockFile held = LockVolume(name);
        await Ext4Image.RepairIfUncleanAsync(path);
        if (added.Count == 0)
        {
            return new VolumeLease(path, held);
        }

        using (held)
        {
            return await CopyAsync(path, added, directory, progress);
        }
    }

    private static async Task<VolumeLease> CopyAsync(string from, IReadOnlyList<AddedFile> added, RackDirectory directory,
        Progress progress)
    {
        // Beside the original, where sharing of blocks may work and room is; the rack's own directory may be in memory.
        string copy = Path.Combine(HostPaths.Volumes, $".copy-{directory.Id}{Extension}");
        directory.Own(copy);
        using IDisposable step = progress.Step("preparing the volume");
        await Ext4Image.CopyAsync(from, copy);
        await AddedFile.PutAllAsync(added, copy);
        return new VolumeLease(copy, null);
    }
}
