// How the rack tool fails: one exception type that carries the exit status and a sentence for the user. Everything that can go wrong on
// the host (a bad option, a missing package, a dead machine) becomes one of these; Program.cs prints the sentence and returns the status.
// Statuses follow existing habits: 2 as getopt programs, 69 and 70 from sysexits.h, 124 from timeout(1), 126 and 127 from the shell.

using System;

namespace Lego.Racks;

/// <summary>Exit statuses of the tool itself; any other status is the program's own.</summary>
public static class ExitStatus
{
    /// <summary>The program ran and ended with 0, or the command did its work.</summary>
    public const int Success = 0;
    /// <summary>A test, a comparison or a verdict failed.</summary>
    public const int Failed = 1;
    /// <summary>The command line or a rack file is wrong.</summary>
    public const int Usage = 2;
    /// <summary>The host lacks something: a Debian package, the built images, access to a file.</summary>
    public const int HostUnfit = 69;
    /// <summary>A component of the rack died, panicked or never came up.</summary>
    public const int RackFailed = 70;
    /// <summary>The time given by --timeout is over.</summary>
    public const int TimedOut = 124;
    /// <summary>The program exists and cannot be run.</summary>
    public const int NotExecutable = 126;
    /// <summary>There is no such program.</summary>
    public const int NotFound = 127;
    /// <summary>A program (or the tool) ended by signal N has status 128 + N.</summary>
    public const int SignalBase = 128;
}

/// <summary>An error that is the user's to read: a sentence and an exit status.</summary>
public sealed class ToolException : Exception
{
    /// <summary>The status to exit with; see <see cref="ExitStatus"/>.</summary>
    public int Status { get; }

    /// <param name="status">One of <see cref="ExitStatus"/>.</param>
    /// <param name="sentence">For the user; names what it is about.</param>
    public ToolException(int status, string sentence) : base(sentence)
    {
        Status = status;
    }

    /// <summary>The user asked for what cannot be.</summary>
    public static ToolException Usage(string sentence) => new(ExitStatus.Usage, sentence);

    /// <summary>This host lacks something.</summary>
    public static ToolException Host(string sentence) => new(ExitStatus.HostUnfit, sentence);

    /// <summary>The rack, or a component of it, has failed.</summary>
    public static ToolException Rack(string sentence) => new(ExitStatus.RackFailed, sentence);
}
