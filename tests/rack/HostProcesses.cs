// Signals to processes of the host, and what runs there. By system call and /proc, because kill(1) and ps(1) are in a package (procps) that
// a minimal Debian does not have and the rack tool does not need.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;

namespace Lego.Rack.Tests;

/// <summary>The host's processes.</summary>
internal static class HostProcesses
{
    private static readonly Dictionary<string, int> s_signals = new()
    {
        ["HUP"] = 1,
        ["INT"] = 2,
        ["KILL"] = 9,
        ["TERM"] = 15,
        ["CONT"] = 18,
        ["STOP"] = 19,
    };

    /// <summary>Sends a signal by its name without SIG; false when there is no such process.</summary>
    public static bool Signal(int process, string signal) => Kill(process, s_signals[signal]) == 0;

    /// <summary>Ids of this checkout's processes whose command lines contain the text.</summary>
    public static int[] Find(string text) =>
        [.. All().Where(process => process.Line.Contains(text) && process.Line.Contains(Rack.Root)).Select(process => process.Id)];

    /// <summary>The command lines of all processes, words separated by spaces.</summary>
    public static IEnumerable<string> CommandLines() => All().Select(process => process.Line);

    private static IEnumerable<(int Id, string Line)> All()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(f => Path.GetFileName(f).All(char.IsAsciiDigit)))
        {
            string line;
            try
            {
                line = File.ReadAllText(Path.Combine(folder, "cmdline"));
            }
            catch (IOException)
            {
                continue; // It has ended meanwhile.
            }

            yield return (int.Parse(Path.GetFileName(folder)), line.Replace('\0', ' '));
        }
    }

    [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static extern int Kill(int process, int signal);
}
