// Programs on a terminal: lines, modes, jobs in the background and those that nobody continues any more (POSIX, "General Terminal
// Interface"). One rack is up for all of these tests; script(1) gives the tool a terminal, whose other side is here.

using System;
using System.Diagnostics;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class TerminalTests : IClassFixture<UpRack>, IDisposable
{
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromMinutes(1));

    private Process? _script;
    private string _seen = "";

    public void Dispose()
    {
        if (_script is { HasExited: false })
        {
            _script.Kill(entireProcessTree: true);
        }

        _script?.Dispose();
    }

    [Fact]
    public async Task A_terminal_is_read_line_by_line_and_takes_the_modes_that_the_program_sets()
    {
        Start("./lego run -- sh -c 'cat; echo end of one; stty -echo; echo quiet; read p; stty echo; echo got $p; cat; echo end of two'");
        await TypeAsync("line\n");
        // Once as the terminal's echo and once as the program's output.
        await SeeAsync("line\r\nline\r\n");
        await TypeAsync("\x04");
        await SeeAsync("quiet");
        await TypeAsync("secret\n");
        await SeeAsync("got secret");
        await TypeAsync("\x04");
        await SeeAsync("end of two");
        await EndAsync();
        Assert.Equal(_seen.IndexOf("secret"), _seen.LastIndexOf("secret"));
        Assert.Contains("end of one", _seen);
    }

    [Fact]
    public async Task A_run_in_the_background_whose_program_reads_nothing_is_not_stopped()
    {
        Start("bash -mc './lego run -- sh -c \"sleep 0.5; echo ran\" & wait $!; echo status $?'");
        await SeeAsync("status");
        await EndAsync();
        Assert.Contains("ran", _seen);
        Assert.Contains("status 0", _seen);
    }

    [Fact]
    public async Task A_background_read_that_nobody_can_continue_fails()
    {
        // The inner shell makes a group of its own for the job and ends: the group is orphaned.
        const string Job = "(until [ -e /ended ]; do sleep 0.1; done; cat; echo cat \\$?; echo >/read) &";
        Start($"./lego run -- sh -c 'sh -mc \"{Job}\"; echo >/ended; until [ -e /read ]; do sleep 0.1; done; echo end of all'");
        await SeeAsync("end of all");
        await EndAsync();
        Assert.Contains("cat 1", _seen);
    }

    [Fact]
    public async Task A_session_that_takes_the_terminal_reads_from_it()
    {
        Start("./lego run -- sh -c 'setsid -c sh -c \"read line; echo got \\$line\"; echo end of it'");
        await TypeAsync("something\n");
        await SeeAsync("got something");
        await EndAsync();
    }

    private void Start(string line) => _script = Process.Start(new ProcessStartInfo("script", ["-qec", line, "/dev/null"])
    {
        WorkingDirectory = Rack.Root,
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    });

    private async Task TypeAsync(string keys)
    {
        await _script!.StandardInput.WriteAsync(keys);
        await _script.StandardInput.FlushAsync();
    }

    /// <summary>Reads what comes until the text is among it.</summary>
    private async Task SeeAsync(string text)
    {
        char[] piece = new char[256];
        while (!_seen.Contains(text))
        {
            int count = await _script!.StandardOutput.ReadAsync(piece).AsTask().WaitAsync(s_limit);
            Assert.True(count > 0, _seen);
            _seen += new string(piece, 0, count);
        }
    }

    /// <summary>The rest, to the end of the command.</summary>
    private async Task EndAsync()
    {
        _script!.StandardInput.Close();
        _seen += await _script.StandardOutput.ReadToEndAsync().WaitAsync(s_limit);
        await _script.WaitForExitAsync().WaitAsync(s_limit);
    }
}
