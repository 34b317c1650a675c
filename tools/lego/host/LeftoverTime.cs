// Starts programs that get what time the host's cores have left and no more: Linux's scheduling policy SCHED_IDLE (sched(7)), which needs
// no right and is inherited by what they start. They give way at once to whoever else wants a core, so that machines beside them keep their
// pace. On a host whose cores are all taken they stand still; who uses this must be able to start anew without it.

using System.Collections.Generic;

namespace Lego.Tool;

/// <summary>How a program shares the cores with others.</summary>
internal enum Share
{
    /// <summary>As any other program.</summary>
    Fair,
    /// <summary>What the others leave.</summary>
    Leftover,
}

/// <summary>Command lines of programs with a share.</summary>
internal static class LeftoverTime
{
    private const string Changer = "chrt";

    /// <summary>The program and its arguments, by way of chrt(1) when it is to have the leftover time.</summary>
    public static (string Program, IEnumerable<string> Arguments) Command(Share share, string program, IEnumerable<string> arguments) =>
        share == Share.Leftover ? (Changer, ["--idle", "0", program, .. arguments]) : (program, arguments);
}
