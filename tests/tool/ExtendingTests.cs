// The worked examples of docs/extending.md are patches that fit the sources as they are.

using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public partial class ExtendingTests
{
    [Fact]
    public async Task The_examples_of_how_to_extend_it_fit_the_sources()
    {
        string text = await File.ReadAllTextAsync(Path.Combine(HostPaths.Root, "docs", "extending.md"));
        string[] patches = [.. Patches().Matches(text).Select(match => match.Groups[1].Value)];
        Assert.Equal(4, patches.Length);
        using ScratchDirectory scratch = new("extending");
        string file = Path.Combine(scratch.Path, "example.patch");
        foreach (string patch in patches)
        {
            await File.WriteAllTextAsync(file, patch);
            HostResult result = await HostProgram.TryRunAsync(
                "patch", ["-p1", "--dry-run", "--batch", "--forward", "--fuzz=0", "-i", file], HostPaths.Root);
            Assert.True(result.Succeeded, $"{result.Output}{result.LastWords}\n{patch}");
        }
    }

    [GeneratedRegex("```diff\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Patches();
}
