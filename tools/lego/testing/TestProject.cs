// Runs one xunit project through dotnet test and reads its result file (TRX: the XML that Visual Studio's test platform writes).

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using System.Xml.Linq;
using CliWrap;

namespace Lego.Tool;

/// <summary>What a test project reported.</summary>
internal sealed record TestResult(int Passed, int Skipped, IReadOnlyList<string> Failures);

/// <summary>Runs test projects.</summary>
internal static class TestProject
{
    private static readonly XNamespace s_trx = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010";

    /// <summary>
    /// Runs the built project of a directory, with a filter expression of dotnet test; every finished test's line goes to
    /// <paramref name="onLine"/>.
    /// </summary>
    public static async Task<TestResult> RunAsync(
        string directory, string? filter, Share share, Action<string> onLine, CancellationToken cancellation)
    {
        string results = Path.Combine(HostPaths.Out, "tests", Path.GetFileName(directory) + ".trx");
        Directory.CreateDirectory(Path.GetDirectoryName(results)!);
        File.Delete(results);
        List<string> arguments =
            ["test", directory, "--no-build", "--logger", "console;verbosity=normal", "--logger", $"trx;LogFileName={results}"];
        if (filter is not null)
        {
            arguments.AddRange(["--filter", filter]);
        }

        string last = "";
        Lock lines = new();
        void Take(string line)
        {
            lock (lines)
            {
                last = line.Trim().Length > 0 ? line.Trim() : last;
                if (line.StartsWith("  Passed ", StringComparison.Ordinal) || line.StartsWith("  Failed ", StringComparison.Ordinal))
                {
                    onLine(line.Trim());
                }
            }
        }

        (string program, IEnumerable<string> words) = LeftoverTime.Command(share, Environment.ProcessPath!, arguments);
        CommandResult run = await Cli.Wrap(program).WithArguments(words).WithValidation(CommandResultValidation.None)
            .WithStandardOutputPipe(PipeTarget.ToDelegate(Take)).WithStandardErrorPipe(PipeTarget.ToDelegate(Take))
                .ExecuteAsync(cancellation);
        return Judge(File.Exists(results) ? XDocument.Load(results) : null, run.ExitCode, $"{directory}: dotnet test ended", last);
    }

    /// <summary>
    /// What came of a run that ended with this status. A project without a test that matches has results, too, and status 0: a run without
    /// results, or with another status and no failure among them, broke off.
    /// </summary>
    public static TestResult Judge(XDocument? results, int status, string what, string last)
    {
        if (results is null)
        {
            return new TestResult(0, 0, [$"{what} without results: {last}"]);
        }

        TestResult result = Parse(results);
        return status == 0 || result.Failures.Count > 0 ? result : result with { Failures = [$"{what} with status {status}: {last}"] };
    }

    /// <summary>Reads a TRX document.</summary>
    public static TestResult Parse(XDocument document)
    {
        int passed = 0;
        int skipped = 0;
        List<string> failures = new();
        foreach (XElement test in document.Descendants(s_trx + "UnitTestResult"))
        {
            switch (test.Attribute("outcome")?.Value)
            {
                case "Passed":
                    passed++;
                    break;
                case "NotExecuted":
                    skipped++;
                    break;
                default:
                    string message = test.Descendants(s_trx + "Message").FirstOrDefault()?.Value ?? "no message";
                    failures.Add($"{test.Attribute("testName")?.Value}: {message.Trim()}");
                    break;
            }
        }

        return new TestResult(passed, skipped, failures);
    }
}
