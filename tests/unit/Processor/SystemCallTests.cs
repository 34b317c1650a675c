// The table of system calls: the dispatcher's switch, the attributes on the handlers and docs/syscalls.md say the same.
// LEGO_UPDATE_DOCS=1 dotnet test ... writes the page instead of comparing it.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.RegularExpressions;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed partial class SystemCallTests
{
    private const string UpdateVariable = "LEGO_UPDATE_DOCS";

    /// <summary>Numbers that are not Linux's: private calls that only measuring images answer.</summary>
    private const int LastLinuxNumber = 1024;

    private sealed record Handler(SystemCallAttribute Call, MethodInfo Method);

    [Fact]
    public void Every_handler_is_in_the_table_and_every_entry_has_a_handler()
    {
        IEnumerable<string> declared = Handlers().Select(item => $"{item.Call.Number} {item.Method.DeclaringType!.Name}.{item.Method.Name}")
            .Order();
        IEnumerable<string> dispatched = Entries().Order();
        Assert.Equal(declared, dispatched);
    }

    [Fact]
    public void Numbers_and_names_are_those_of_Linux()
    {
        foreach (Handler handler in Handlers())
        {
            Assert.Equal(Encoding.ASCII.GetString(SystemCallNames.Of((ulong)handler.Call.Number)), handler.Call.Name);
        }

        Assert.Equal("read", Encoding.ASCII.GetString(SystemCallNames.Of(0)));
        Assert.Equal("rseq", Encoding.ASCII.GetString(SystemCallNames.Of(334)));
        Assert.Equal("unknown", Encoding.ASCII.GetString(SystemCallNames.Of(335)));
        Assert.Equal("pidfd_send_signal", Encoding.ASCII.GetString(SystemCallNames.Of(424)));
        Assert.Equal("unknown", Encoding.ASCII.GetString(SystemCallNames.Of(ulong.MaxValue)));
    }

    [Fact]
    public void A_call_that_is_not_complete_says_what_is_missing()
    {
        foreach (Handler handler in Handlers())
        {
            Assert.True(handler.Call.Support == Support.Full == (handler.Call.Missing.Length == 0), handler.Call.Name);
        }
    }

    [Fact]
    public void Docs_syscalls_md_matches_the_source()
    {
        string path = Path.Combine(Root(), "docs", "syscalls.md");
        string expected = Page();
        if (Environment.GetEnvironmentVariable(UpdateVariable) == "1")
        {
            File.WriteAllText(path, expected);
        }

        Assert.True(File.Exists(path), $"docs/syscalls.md is missing; run the test once with {UpdateVariable}=1");
        Assert.True(expected == File.ReadAllText(path), $"docs/syscalls.md is out of date; run the test once with {UpdateVariable}=1");
    }

    private static List<Handler> Handlers()
    {
        const BindingFlags Static = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        return [.. from type in typeof(SystemCallTable).Assembly.GetTypes()
                   from method in type.GetMethods(Static)
                   from call in method.GetCustomAttributes<SystemCallAttribute>()
                   orderby call.Number
                   select new Handler(call, method)];
    }

    private static IEnumerable<string> Entries()
    {
        string source = File.ReadAllText(Path.Combine(Root(), "monitors", "processor", "linux", "SystemCallTable.cs"));
        return from Match match in Entry().Matches(source)
               let number = int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)
               where number <= LastLinuxNumber
               select $"{number} {match.Groups[2].Value}";
    }

    private static string Page()
    {
        List<Handler> handlers = Handlers();
        StringBuilder page = new();
        page.Append("# System calls\n\n");
        page.Append("Generated from the `[SystemCall]` attributes in monitors/processor/linux; a unit test keeps it true. Any other call ");
        page.Append("gets ENOSYS, and one line in the processor component's log per number and boot.\n\n");
        page.Append($"{handlers.Count(item => item.Call.Support == Support.Full)} full, ");
        page.Append($"{handlers.Count(item => item.Call.Support == Support.Partial)} partial, ");
        page.Append($"{handlers.Count(item => item.Call.Support == Support.Stub)} stubs.\n\n");
        page.Append("| number | call | support | missing or different | handler |\n|---|---|---|---|---|\n");
        foreach (Handler handler in handlers)
        {
            string support = handler.Call.Support.ToString().ToLowerInvariant();
            string method = $"{handler.Method.DeclaringType!.Name}.{handler.Method.Name}";
            page.Append($"| {handler.Call.Number} | `{handler.Call.Name}` | {support} | {handler.Call.Missing} | {method} |\n");
        }

        page.Append("\n## Not implemented\n\n");
        HashSet<int> known = [.. handlers.Select(item => item.Call.Number)];
        List<string> missing = [];
        for (int number = 0; number < SystemCallNames.Limit; number++)
        {
            string name = Encoding.ASCII.GetString(SystemCallNames.Of((ulong)number));
            if (name != "unknown" && !known.Contains(number))
            {
                missing.Add($"{name} ({number})");
            }
        }

        string line = "";
        foreach (string item in missing)
        {
            if (line.Length + item.Length > 130)
            {
                page.Append(line).Append('\n');
                line = "";
            }

            line += (line.Length == 0 ? "" : " ") + item + (item == missing[^1] ? "." : ",");
        }

        return page.Append(line).Append('\n').ToString();
    }

    private static string Root([CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "..", "..", ".."));

    [GeneratedRegex(@"case (\d+): return (\w+\.\w+)\(ref (?:call|Narrow\.Take\(ref call, [^)]+\))\);")]
    private static partial Regex Entry();
}
