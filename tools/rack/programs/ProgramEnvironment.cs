// The environment that programs start with, unless they are told otherwise: what a login of root has on Debian.

using System;
using System.Collections.Generic;
using System.Linq;

namespace Lego.Racks;

/// <summary>Makes environments.</summary>
internal static class ProgramEnvironment
{
    private const string ProgramPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// <summary>The usual variables and these assignments, K=V.</summary>
    public static IEnumerable<string> With(IReadOnlyList<string> assignments)
    {
        Dictionary<string, string> variables = new()
        {
            ["PATH"] = ProgramPath,
            ["HOME"] = "/root",
            ["USER"] = "root",
            ["HOSTNAME"] = "lego",
        };
        if (Environment.GetEnvironmentVariable("TERM") is { Length: > 0 } terminal)
        {
            variables["TERM"] = terminal;
        }

        foreach (string assignment in assignments)
        {
            int equals = assignment.IndexOf('=');
            if (equals <= 0)
            {
                throw ToolException.Usage($"--env {assignment}: write K=V");
            }

            variables[assignment[..equals]] = assignment[(equals + 1)..];
        }

        return variables.Select(v => $"{v.Key}={v.Value}");
    }
}
