// Compiles the programs of tests/linux, in C, Go and Rust, into out/linux, with the command that each source's header comment gives.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>The Linux programs of the tests.</summary>
public static partial class LinuxPrograms
{
    private static readonly string[] s_languages = [".c", ".go", ".rs"];
    private static readonly string s_sources = Path.Combine(Rack.Root, "tests", "linux");
    private static readonly ConcurrentDictionary<string, Lazy<Task<string>>> s_programs = new();

    /// <summary>All programs whose sources say how they are compiled.</summary>
    public static IEnumerable<string> Names() => Directory.GetFiles(s_sources)
        .Where(file => s_languages.Contains(Path.GetExtension(file)) && CompilerLine().IsMatch(File.ReadAllText(file)))
        .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    /// <summary>Path of the compiled program; compiles when the source, or a header that several share, is newer.</summary>
    public static Task<string> BuildAsync(string name) =>
        s_programs.GetOrAdd(name, _ => new Lazy<Task<string>>(() => CompileAsync(name))).Value;

    private static async Task<string> CompileAsync(string name)
    {
        string source = s_languages.Select(ending => Path.Combine(s_sources, name + ending)).First(File.Exists);
        string folder = Directory.CreateDirectory(Path.Combine(Rack.Root, "out", "linux")).FullName;
        string program = Path.Combine(folder, name);
        DateTime changed = Directory.GetFiles(s_sources, "*.h").Append(source).Max(File.GetLastWriteTimeUtc);
        if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < changed)
        {
            Match command = CompilerLine().Match(await File.ReadAllTextAsync(source));
            Assert.True(command.Success, $"{source} does not say how to compile it");
            string[] words = command.Groups["command"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            ProgramResult result = await Rack.HostAsync(s_sources, [.. words.Select(word => word == name ? program : word)]);
            Assert.True(result.Status == 0, result.ToString());
        }

        return program;
    }

    /// <summary>
    /// Runs programs one after the other, on the host and on a rack side by side: both print the same, and no program fails. On the host
    /// each has an argument (empty: none), for where it is not to work in /tmp.
    /// </summary>
    public static async Task AssertSameAsync(string folder, string hostArgument, string[] options, params string[] names)
    {
        List<string> there = [];
        List<string> here = [];
        foreach (string name in names)
        {
            options = [.. options, .. await AddAsync(name)];
            there.Add($"/{name}");
            here.Add($"{await BuildAsync(name)} {hostArgument}");
        }

        Task<ProgramResult> judge = Rack.HostAsync(folder, ["sh", "-c", string.Join(" && ", here)]);
        ProgramResult rack = await Rack.RunAsync(options, ["sh", "-c", string.Join(" && ", there)]);
        ProgramResult host = await judge;
        Assert.Equal(host.Output, rack.Output);
        Assert.Equal((0, 0), (host.Status, rack.Status));
    }

    /// <summary>The option that puts a compiled program into the rack's root directory.</summary>
    public static async Task<string[]> AddAsync(string name) => ["--add", $"{await BuildAsync(name)}:/{name}"];

    [GeneratedRegex(@"^(?: \*|//) (?<command>(?:gcc|go build|rustc) .*?\.(?:c|go|rs))\s", RegexOptions.Multiline)]
    private static partial Regex CompilerLine();
}
