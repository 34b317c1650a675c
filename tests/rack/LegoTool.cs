// For tests that interfere with a run while it goes on, or need bytes and not text: ./lego as a process of its own, its signals, its
// machines.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>How a command ended.</summary>
internal sealed record CommandResult(int Status, byte[] Output, byte[] Error, TimeSpan Time)
{
    public string OutputText => Encoding.UTF8.GetString(Output);

    public string ErrorText => Encoding.UTF8.GetString(Error);

    /// <summary>For the message of a failed assertion.</summary>
    public override string ToString() =>
        $"status {Status} after {Time.TotalSeconds:0.0} s\n--- output\n{OutputText}\n--- error\n{ErrorText}";
}

/// <summary>Starts ./lego and watches it.</summary>
internal static class LegoTool
{
    /// <summary>Beyond this a command is stuck, whatever it does.</summary>
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromMinutes(4));
    private static readonly TimeSpan s_lineLimit = HostSpeed.Scale(TimeSpan.FromSeconds(60));

    /// <summary>Runs ./lego with these words and an empty standard input.</summary>
    public static Task<CommandResult> RunAsync(params string[] words) => RunAsync([], words);

    /// <summary>Runs ./lego with these words and this standard input.</summary>
    public static async Task<CommandResult> RunAsync(byte[] input, params string[] words)
    {
        using Process process = Start(words);
        return await FinishAsync(process, input);
    }

    /// <summary>Starts ./lego and leaves it running.</summary>
    public static Process Start(params string[] words)
    {
        // With the default action for signals that nohup or a background job may have left ignored (env(1)).
        return Process.Start(new ProcessStartInfo("env", ["--default-signal=HUP,INT,QUIT,TERM", Path.Combine(Rack.Root, "lego"), .. words])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }

    /// <summary>Starts a shell line on a rack; returns when it has printed "ready".</summary>
    public static async Task<Process> StartReadyAsync(string[] options, string line)
    {
        Process process = Start(["run", .. options, "--", "sh", "-c", $"echo ready; {line}"]);
        string? first = await process.StandardOutput.ReadLineAsync().WaitAsync(s_lineLimit);
        Assert.True(first == "ready", first ?? await process.StandardError.ReadToEndAsync());
        return process;
    }

    /// <summary>Writes the input and waits for a started command; what it prints is read to its end.</summary>
    public static async Task<CommandResult> FinishAsync(Process process, byte[]? input = null)
    {
        long start = Stopwatch.GetTimestamp();
        MemoryStream output = new();
        MemoryStream error = new();
        Task reading = Task.WhenAll(process.StandardOutput.BaseStream.CopyToAsync(output),
            process.StandardError.BaseStream.CopyToAsync(error));
        try
        {
            await process.StandardInput.BaseStream.WriteAsync(input ?? []);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // A program may end without reading its input.
        }

        try
        {
            await process.WaitForExitAsync().WaitAsync(s_limit);
            await reading.WaitAsync(s_limit);
        }
        finally
        {
            process.Kill();
        }

        return new CommandResult(process.ExitCode, output.ToArray(), error.ToArray(), Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Sends a signal to a process.</summary>
    public static void Signal(int process, string signal) =>
        Assert.True(HostProcesses.Signal(process, signal), $"process {process} is gone");

    /// <summary>Rows of `lego ps`: name to process id.</summary>
    public static async Task<Dictionary<string, int>> MachinesAsync()
    {
        CommandResult ps = await RunAsync("ps");
        return MachinesIn(ps.OutputText);
    }

    /// <summary>The same from the table that `lego ps` and `lego up` print.</summary>
    public static Dictionary<string, int> MachinesIn(string table) =>
        table.Split('\n').Select(l => l.Split('\t')).Where(f => f.Length == 9 && f[0] != "name")
            .ToDictionary(f => f[0], f => int.Parse(f[3]));

    /// <summary>No machine of this checkout runs, and no throw-away volume or shared-memory file of its racks exists.</summary>
    public static async Task AssertNothingIsLeftAsync()
    {
        Assert.Empty(await MachinesAsync());
        string images = Path.Combine(Rack.Root, "out", "images");
        Assert.DoesNotContain(HostProcesses.CommandLines(), l => l.Contains("qemu-system") && l.Contains(images));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Rack.Root, "out", "volumes"), ".copy-*"));
    }
}
