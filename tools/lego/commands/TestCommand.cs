// `lego test`: everything that can be tested, cheapest first. Host tests run the images' own sources in this process's world; the suites image
// runs named cases on bare metal; rack tests drive this very tool. The last line counts; the status is 1 when anything failed.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Diagnostics;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The test command.</summary>
public static class TestCommand
{
    private static readonly string[] s_stages = ["unit", "tool", "suites", "rack"];

    public static Command Create()
    {
        Command command = new("test", "Run the tests: on the host (unit, tool), on bare metal (suites), and on whole racks (rack).");
        Option<string?> filter = new("--filter")
        {
            Description = "Only tests whose names contain TEXT (suites: whose names begin with it).",
            HelpName = "TEXT",
        };
        Option<string?> only = new("--only") { Description = "Only this stage: unit, tool, suites or rack.", HelpName = "STAGE" };
        command.Options.Add(filter);
        command.Options.Add(only);
        command.SetAction(async (result, cancellation) =>
        {
            string? stage = result.GetValue(only);
            if (stage is not null && Array.IndexOf(s_stages, stage) < 0)
            {
                throw ToolException.Usage($"--only: '{stage}' is none of {string.Join(", ", s_stages)}");
            }

            return await RunAsync(stage, result.GetValue(filter), cancellation);
        });
        return command;
    }

    private static async Task<int> RunAsync(string? only, string? filter, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        int signal = 0;
        void Stop(int number)
        {
            signal = number;
            stop.Cancel();
        }

        using SignalForwarder signals = new(Stop, Stop);
        RackDirectory.Sweep();
        TestCount total = new();
        try
        {
            foreach (string stage in s_stages)
            {
                if (only is null || only == stage)
                {
                    await RunStageAsync(stage, filter, total, stop.Token);
                }
            }
        }
        catch (OperationCanceledException) when (signal != 0)
        {
            return ExitStatus.SignalBase + signal;
        }

        Console.WriteLine($"{total.Passed} passed, {total.Failed} failed");
        return total.Failed == 0 ? ExitStatus.Success : ExitStatus.Failed;
    }

    private static async Task RunStageAsync(string stage, string? filter, TestCount total, CancellationToken cancellation)
    {
        string title = stage switch
        {
            "unit" => "host tests of the images' sources (tests/unit)",
            "tool" => "host tests of the rack tool (tests/tool)",
            "suites" => "cases on bare metal (tests/suites)",
            _ => "tests on whole racks (tests/rack)",
        };
        Console.WriteLine($"== {title}");
        long start = Stopwatch.GetTimestamp();
        TestCount count = await RunProjectAsync(stage, filter, cancellation);
        foreach (string failure in count.Failures)
        {
            Console.WriteLine($"   FAILED {failure}");
        }

        string skipped = count.Skipped > 0 ? $", {count.Skipped} skipped" : "";
        Console.WriteLine($"   {count.Passed} passed, {count.Failed} failed{skipped} in {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s");
        total.Add(count);
    }

    private static async Task<TestCount> RunProjectAsync(string stage, string? filter, CancellationToken cancellation)
    {
        // Cases of the suites image are named on its boot line, by a variable that the tests hand on; all else is a filter of dotnet test.
        const string SuitesSpace = "FullyQualifiedName{0}Lego.Rack.Tests.Suites";
        string? named = filter is null ? null : $"FullyQualifiedName~{filter}";
        (string project, string? expression) = stage switch
        {
            "suites" => ("rack", string.Format(SuitesSpace, "~") + (filter is null ? "" : "&FullyQualifiedName~Every_case")),
            "rack" => ("rack", string.Format(SuitesSpace, "!~") + (named is null ? "" : "&" + named)),
            _ => (stage, named),
        };
        Environment.SetEnvironmentVariable("LEGO_SUITES_FILTER", stage == "suites" ? filter : null);
        bool isTold = project == "rack";
        // A test on machines takes seconds, so each is worth a line; host tests are hundreds.
        using IDisposable? step = isTold ? null : new Progress(ProgressStyle.Open).Step($"building and running tests/{project}");
        TestResult result = await TestProject.RunAsync(
            Path.Combine(HostPaths.Root, "tests", project), expression, line => { if (isTold) { Console.WriteLine("   " + line); } }, cancellation);
        return new TestCount(result.Passed, result.Skipped, result.Failures);
    }
}
