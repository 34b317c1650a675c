// Starts programs that get what time the host's cores have left and no more: Linux's scheduling policy SCHED_IDLE (sched(7)), which needs
// no right and is inherited by what they start. They give way at once to whoever else wants a core, so that machines beside them keep their
// pace. Where the kernel shares the cores among sessions first (sched(7), "The autogroup feature"), machines are sessions of their own, and
// a policy counts within a session only: so what has the leftover time gets one too, with the least weight. On a host whose cores are all
// taken they stand still; who uses this must be able to start anew without it.

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
    /// <summary>Without the feature there is no such file, and the policy is enough.</summary>
    private const string WithLeastWeight = "{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec \"$@\"";

    /// <summary>The program and its arguments, by way of chrt(1) and setsid(1) when it is to have the leftover time.</summary>
    public static (string Program, IEnumerable<string> Arguments) Command(Share share, string program, IEnumerable<string> arguments) =>
        share == Share.Leftover
            ? (Changer, ["--idle", "0", "setsid", "--wait", "sh", "-c", WithLeastWeight, "sh", program, .. arguments])
            : (program, arguments);
}
