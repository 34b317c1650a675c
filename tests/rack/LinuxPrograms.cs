// Compiles tests/linux/*.c into out/linux, with the command that each source's header comment gives.

using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>The Linux programs of the tests.</summary>
public static partial class LinuxPrograms
{
    /// <summary>Path of the compiled program; compiles when the source, or a header that several share, is newer.</summary>
    public static async Task<string> BuildAsync(string name)
    {
        string sources = Path.Combine(Rack.Root, "tests", "linux");
        string source = Path.Combine(sources, name + ".c");
        string folder = Directory.CreateDirectory(Path.Combine(Rack.Root, "out", "linux")).FullName;
        string program = Path.Combine(folder, name);
        DateTime changed = Directory.GetFiles(sources, "*.h").Append(source).Max(File.GetLastWriteTimeUtc);
        if (!File.Exists(program) || File.GetLastWriteTimeUtc(program) < changed)
        {
            Match command = CompilerLine().Match(await File.ReadAllTextAsync(source));
            Assert.True(command.Success, $"{source} does not say how to compile it");
            string[] words = command.Groups["arguments"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            ProgramResult result = await Rack.HostAsync(sources, ["gcc", .. words.Select(word => word == name ? program : word)]);
            Assert.True(result.Status == 0, result.ToString());
        }

        return program;
    }

    /// <summary>The option that puts a compiled program into the rack's root directory.</summary>
    public static async Task<string[]> AddAsync(string name) => ["--add", $"{await BuildAsync(name)}:/{name}"];

    [GeneratedRegex(@"^ \* gcc (?<arguments>.*?\.c)", RegexOptions.Multiline)]
    private static partial Regex CompilerLine();
}
