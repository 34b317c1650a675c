// Runs the host's own programs (mke2fs, debugfs, apt-get ...) to their end, through CliWrap. A failure becomes one sentence that
// quotes the program's last line of error output.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using CliWrap;
using CliWrap.Buffered;

namespace Lego.Racks;

/// <summary>Output and status of a host program.</summary>
internal sealed record HostResult(int Status, string Output, string Error)
{
    public bool Succeeded => Status == 0;

    /// <summary>The last non-empty line it wrote to standard error, or else to standard output.</summary>
    public string LastWords
    {
        get
        {
            string text = Error.Trim().Length > 0 ? Error : Output;
            return text.Split('\n').Select(l => l.Trim()).LastOrDefault(l => l.Length > 0) ?? $"status {Status}";
        }
    }
}

/// <summary>Starts host programs.</summary>
internal static class HostProgram
{
    /// <summary>Runs a program; any status is returned. Cancelled, it is killed.</summary>
    public static async Task<HostResult> TryRunAsync(string program, IEnumerable<string> arguments, string? directory = null,
        string? input = null, CancellationToken cancellation = default)
    {
        if (!HostPaths.HasProgram(program))
        {
            throw ToolException.Host($"the program {program} is missing; ./lego names the Debian packages it needs when it starts");
        }

        Command command = Cli.Wrap(program)
            .WithArguments(arguments)
            .WithValidation(CommandResultValidation.None)
            // Messages are quoted and some are parsed.
            .WithEnvironmentVariables(variables => variables.Set("LC_ALL", "C"))
            .WithStandardInputPipe(input is null ? PipeSource.Null : PipeSource.FromString(input));
        if (directory is not null)
        {
            command = command.WithWorkingDirectory(directory);
        }

        BufferedCommandResult result = await command.ExecuteBufferedAsync(cancellation);
        return new HostResult(result.ExitCode, result.StandardOutput, result.StandardError);
    }

    /// <summary>Runs a program and fails with a sentence when its status is not 0.</summary>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string? directory = null, string? input = null)
    {
        HostResult result = await TryRunAsync(program, arguments, directory, input);
        return result.Succeeded ? result.Output : throw ToolException.Host($"{program} failed: {result.LastWords}");
    }
}
