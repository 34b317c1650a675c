// vNodes of a running rack: what they are made from, what the rack says of them, and the commands to its manager about them (as text, see
// monitors/manager/vnodes/VNodeControl.cs).

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>What a vNode is made with.</summary>
public sealed record VNodeOptions
{
    /// <summary>
    /// The directory of the volume that its programs see as "/"; null for /vnodes/NAME, which is made from a copy of the volume's programs
    /// and settings unless it is there.
    /// </summary>
    public string? Root { get; init; }
    /// <summary>Most memory of its programs at each processor component, bytes; 0 for no limit.</summary>
    public long MemoryBytes { get; init; }
    /// <summary>Most processes at each processor component; 0 for no limit.</summary>
    public int Processes { get; init; }
}

/// <summary>A vNode as the rack knows it.</summary>
/// <param name="Number">Its number in messages.</param>
/// <param name="Name">What it is called.</param>
/// <param name="Processes">How many processes it has.</param>
/// <param name="MemoryBytes">Pages of its processes.</param>
/// <param name="StoredBytes">Those that memory components have frames for; the others are only in a processor component's ExCache.</param>
/// <param name="MemoryLimitBytes">Most of them; 0 = no limit.</param>
/// <param name="CpuTime">Processor time of its processes, those that have ended included.</param>
/// <param name="Root">The directory of the volume that they see as "/".</param>
public sealed record VNodeLine(
    int Number, string Name, int Processes, long MemoryBytes, long StoredBytes, long MemoryLimitBytes, TimeSpan CpuTime, string Root)
{
    internal static VNodeLine Parse(string line)
    {
        string[] words = line.Split(' ', 8);
        long Number(int index) => long.Parse(words[index], CultureInfo.InvariantCulture);
        return new VNodeLine((int)Number(0), words[1], (int)Number(2), Number(3), Number(4), Number(5),
            TimeSpan.FromTicks(Number(6) / TimeSpan.NanosecondsPerTick), words[7]);
    }
}

/// <summary>Commands to a rack's manager.</summary>
internal static class VNodeCommands
{
    private const uint NoSuchVNode = 3; // ESRCH
    private const uint NotThere = 2; // ENOENT
    private const uint Busy = 16; // EBUSY
    private const uint Exists = 17; // EEXIST
    private const uint NoDirectory = 20; // ENOTDIR
    private const uint NoRoom = 28; // ENOSPC
    private const int MostNameCharacters = 31;
    private const int MostRootBytes = 255;
    /// <summary>Less than this, and no program could begin.</summary>
    private const long LeastMemoryBytes = ByteSize.MiB;

    /// <summary>The directory that a vNode's programs see as "/".</summary>
    public static string RootOf(string name, VNodeOptions options) => options.Root ?? $"/vnodes/{name}";

    /// <summary>Fails with a sentence unless a vNode could be made of this; before anything is made for it.</summary>
    public static void Check(string name, VNodeOptions options)
    {
        string root = RootOf(name, options);
        if (name.Length is 0 or > MostNameCharacters || !char.IsAsciiLetterOrDigit(name[0])
            || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'))
        {
            throw ToolException.Usage(
                $"vnode {name}: a name has 1 to {MostNameCharacters} letters, digits, '-', '_', '.', and begins with a letter or digit");
        }

        if (!root.StartsWith('/') || root.Any(char.IsControl) || System.Text.Encoding.UTF8.GetByteCount(root) > MostRootBytes)
        {
            throw ToolException.Usage($"vnode {name}: the root is an absolute path of the volume of at most {MostRootBytes} bytes");
        }

        if (options.MemoryBytes < 0 || options.Processes < 0)
        {
            throw ToolException.Usage($"vnode {name}: a limit is a positive number");
        }

        if (options.MemoryBytes is > 0 and < LeastMemoryBytes)
        {
            throw ToolException.Usage($"vnode {name}: {ByteSize.Format(options.MemoryBytes)} of memory is too small; "
                + $"it needs at least {ByteSize.Format(LeastMemoryBytes)}");
        }
    }

    /// <summary>Makes a vNode that has been checked; its number.</summary>
    public static async Task<int> CreateAsync(KeeperClient client, string name, VNodeOptions options)
    {
        string root = RootOf(name, options);
        (uint error, string text) = await client.AskVNodesAsync(
            FormattableString.Invariant($"create {name} {options.MemoryBytes} {options.Processes} {root}"));
        return error == 0
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : throw ToolException.Usage(error switch
            {
                Exists => $"there is a vNode {name} already",
                NotThere => $"vnode {name}: there is no {root} on the volume",
                NoDirectory => $"vnode {name}: {root} is no directory",
                NoRoom => "there are as many vNodes as there may be",
                _ => $"vnode {name}: error {error}",
            });
    }

    /// <summary>All vNodes.</summary>
    public static async Task<List<VNodeLine>> ListAsync(KeeperClient client)
    {
        (uint error, string text) = await client.AskVNodesAsync("list");
        return error == 0
            ? [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(VNodeLine.Parse)]
            : throw ToolException.Rack($"vnode list: error {error}");
    }

    /// <summary>The number of a vNode.</summary>
    public static async Task<int> FindAsync(KeeperClient client, string name) =>
        int.Parse(await AskAsync(client, "find", name), CultureInfo.InvariantCulture);

    /// <summary>Kills its processes, and waits until they have ended.</summary>
    public static Task StopAsync(KeeperClient client, string name) => AskAsync(client, "stop", name);

    /// <summary>Takes it away; it must have no processes.</summary>
    public static Task RemoveAsync(KeeperClient client, string name) => AskAsync(client, "rm", name);

    private static async Task<string> AskAsync(KeeperClient client, string verb, string name)
    {
        (uint error, string text) = await client.AskVNodesAsync($"{verb} {name}");
        return error switch
        {
            0 => text,
            NoSuchVNode => throw ToolException.Usage($"there is no vNode {name}; `./lego vnode list` lists them"),
            Busy => throw ToolException.Usage($"the vNode {name} has processes; `./lego vnode stop {name}` ends them"),
            _ => throw ToolException.Rack($"vnode {verb} {name}: error {error}"),
        };
    }
}
