// No source has a line that is longer than .editorconfig allows (max_line_length): the compiler's analyzers do not look at it.

using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Lego.Tests.Layering;

public sealed partial class LineLengthTests
{
    private static readonly string[] s_folders = ["boot", "drivers", "kernel", "monitors", "scripts", "tests", "tools"];

    [Fact]
    public void No_line_of_a_source_is_longer_than_the_limit()
    {
        int limit = int.Parse(Limit().Match(KernelSources.TextOf(".editorconfig")).Groups[1].Value);
        List<string> tooLong = [];
        foreach (string path in KernelSources.In(s_folders))
        {
            string[] lines = KernelSources.TextOf(path).Split('\n');
            tooLong.AddRange(Enumerable.Range(0, lines.Length).Where(index => lines[index].Length > limit)
                .Select(index => $"{path}:{index + 1}"));
        }

        Assert.True(tooLong.Count == 0, string.Join('\n', tooLong));
    }

    [GeneratedRegex("max_line_length = ([0-9]+)")]
    private static partial Regex Limit();
}
