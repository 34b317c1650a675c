// Runs the rack tool as a user does, and the same program on the host, which is the judge. Each run boots a rack of its own and takes it
// down. The tool and the images must have been built (./lego test does).

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;

namespace Lego.Rack.Tests;

/// <summary>How a program ended and what it printed.</summary>
public sealed record ProgramResult(int Status, string Output, string Error)
{
    public override string ToString() => $"status {Status}\n--- output\n{Clip(Output)}\n--- error\n{Clip(Error)}";

    private static string Clip(string text) => text.Length < 4000 ? text : text[..2000] + "\n...\n" + text[^2000..];
}

/// <summary>The counters that `lego run --stats` wrote.</summary>
public sealed class Statistics(JsonDocument document)
{
    /// <summary>A counter by its dotted name; 0 when there is none.</summary>
    public ulong this[string name]
    {
        get
        {
            JsonElement at = document.RootElement;
            foreach (string part in name.Split('.'))
            {
                if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(part, out at))
                {
                    return 0;
                }
            }

            return at.ValueKind == JsonValueKind.Number ? at.GetUInt64() : 0;
        }
    }

    /// <summary>The members of an object by number, in the order of their numbers.</summary>
    public IReadOnlyList<ulong> List(string name)
    {
        JsonElement at = document.RootElement;
        foreach (string part in name.Split('.'))
        {
            if (!at.TryGetProperty(part, out at))
            {
                return [];
            }
        }

        return [.. at.EnumerateObject().OrderBy(member => long.Parse(member.Name)).Select(member => member.Value.GetUInt64())];
    }
}

/// <summary>Starts racks and host programs.</summary>
public static class Rack
{
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromMinutes(5));

    public static string Root { get; } = FindRoot();

    /// <summary>`lego run OPTIONS -- PROGRAM`; standard input is empty unless given.</summary>
    public static Task<ProgramResult> RunAsync(string[] options, string[] program, string input = "") =>
        StartAsync("dotnet", [Path.Combine(Root, "out", "tools", "lego.dll"), "run", .. options, "--", .. program], Root, input);

    /// <summary>Any other command of the tool.</summary>
    public static Task<ProgramResult> ToolAsync(params string[] words) =>
        StartAsync("dotnet", [Path.Combine(Root, "out", "tools", "lego.dll"), .. words], Root, "");

    /// <summary>The same with the counters at the end.</summary>
    public static async Task<(ProgramResult Result, Statistics Statistics)> MeasureAsync(string[] options, string[] program)
    {
        string file = Path.GetTempFileName();
        try
        {
            ProgramResult result = await RunAsync([.. options, "--stats", file], program);
            string json = await File.ReadAllTextAsync(file);
            return (result, new Statistics(JsonDocument.Parse(json.Length == 0 ? "{}" : json)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>A program on the host's own Linux, with the default action for SIGPIPE, which .NET ignores and children inherit.</summary>
    public static Task<ProgramResult> HostAsync(string directory, string[] program, params (string Name, string Value)[] environment) =>
        StartAsync("env", ["--default-signal=PIPE", .. program], directory, "", environment);

    /// <summary>
    /// The same, with a file as standard output: for scripts that change files which they have shown. busybox's cat shows a file by
    /// sendfile(2), and into a pipe Linux puts the file's pages themselves, in which whoever reads the pipe later finds later bytes.
    /// </summary>
    public static async Task<ProgramResult> HostIntoFileAsync(
        string directory, string[] program, params (string Name, string Value)[] environment)
    {
        string file = Path.GetTempFileName();
        try
        {
            ProgramResult result = await HostAsync(directory, ["sh", "-c", "exec \"$@\" >\"$0\"", file, .. program], environment);
            return result with { Output = await File.ReadAllTextAsync(file) };
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<ProgramResult> StartAsync(string program, string[] arguments, string directory, string input,
        params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        try
        {
            await process.WaitForExitAsync().WaitAsync(s_limit);
        }
        catch (TimeoutException)
        {
            // The tool takes its machines down when it is asked to end.
            HostProcesses.Signal(process.Id, "TERM");
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
            throw new TimeoutException($"{program} {string.Join(' ', arguments)}: no end within {s_limit}; {await output}{await error}");
        }

        return new ProgramResult(process.ExitCode, await output, await error);
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder != null && !File.Exists(Path.Combine(folder.FullName, "LegoKernel.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("LegoKernel.sln not found above the test binaries");
    }
}
