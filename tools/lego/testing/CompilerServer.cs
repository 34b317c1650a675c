// One C# compiler process for several builds: the first starts it, the others find it warm, and it ends with them. It serves nobody else,
// so that its share of the cores is theirs.

using System;
using System.Diagnostics;
using System.Threading;

namespace Lego.Tool;

/// <summary>The compiler of some builds; dispose when they are over.</summary>
internal sealed class CompilerServer : IDisposable
{
    private static int s_count;

    private readonly string _name = $"lego-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";

    /// <summary>What `dotnet build` is told.</summary>
    public string[] Options => ["-p:UseSharedCompilation=true", $"-p:SharedCompilationId={_name}"];

    /// <summary>From now on builds that programs started here begin use it, unless they say something else.</summary>
    public void ServeChildren()
    {
        Environment.SetEnvironmentVariable("UseSharedCompilation", "true");
        Environment.SetEnvironmentVariable("SharedCompilationId", _name);
    }

    /// <summary>Ends the process, if a build has started it.</summary>
    public void Dispose()
    {
        using Process end = Process.Start("pkill", ["-f", "--", $"-pipename:{_name}$"]);
        end.WaitForExit();
    }
}
