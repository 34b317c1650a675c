// Nothing but the machine itself has static state: several components, or several machines in one simulation, share no variable. A static
// field is allowed where it cannot change: const, or readonly of a type that has no state of its own.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Lego.Tests.Layering;

public sealed class StaticStateTests
{
    private static readonly Regex s_field =
        new(@"^[ \t]*(?:\[[^\]\n]*\]\s*)*(?:(?:public|private|internal|protected|unsafe|new|volatile)\s+)*static\s+(?<rest>[^\n]*)",
            RegexOptions.Compiled | RegexOptions.Multiline);

    private static readonly Regex s_notState = new(@"^(?:unsafe\s+|partial\s+)*(?:readonly|class|abstract|extern)\b",
        RegexOptions.Compiled);

    private static readonly Regex s_fieldOrSetter = new(@"^[^({=]*(?:;|=[^>])|\{[^}]*\bset;", RegexOptions.Compiled);

    /// <summary>What there is once on each machine, and what stands in for it where there is none.</summary>
    private const string Machine = "kernel/machine/";

    [Fact]
    public void Only_the_machine_has_static_variables()
    {
        List<string> violations = [];
        foreach (string path in KernelSources.In("monitors", "drivers", "boot", "kernel")
            .Where(path => !path.StartsWith(Machine, StringComparison.Ordinal)))
        {
            violations.AddRange(Variables(KernelSources.WithoutTexts(KernelSources.CodeOf(path))).Select(line => $"{path}: {line}"));
        }

        Assert.Empty(violations);
    }

    [Theory]
    [InlineData("    private static int s_count;", true)]
    [InlineData("    private static unsafe Thing* s_first = null;", true)]
    [InlineData("    public static ulong Count { get; private set; }", true)]
    [InlineData("    private static delegate*<int, void> s_handler;", true)]
    [InlineData("    private static readonly Thing s_thing = new();", false)]
    [InlineData("    public static int Count => 3;", false)]
    [InlineData("    public static int Count { get => 3; }", false)]
    [InlineData("    public static void Do(int a = 3)", false)]
    [InlineData("    public static bool operator ==(A a, A b) => true;", false)]
    [InlineData("public static unsafe partial class Thing", false)]
    public void Variables_are_told_from_other_static_members(string line, bool isVariable) =>
        Assert.Equal(isVariable, Variables(line).Any());

    private static IEnumerable<string> Variables(string code) =>
        s_field.Matches(code).Select(match => match.Groups["rest"].Value)
            .Where(rest => !s_notState.IsMatch(rest) && !rest.Contains("operator ", StringComparison.Ordinal)
                && s_fieldOrSetter.IsMatch(rest));
}
