// Says what is going on once it takes longer than a second. On a terminal a spinner line that vanishes; elsewhere one plain line per step.
// `run` must not add a byte to the program's standard error, so there it writes to the controlling terminal when one exists and otherwise
// stays silent.

using System;
using System.Diagnostics;
using System.IO;
using System.Threading;

namespace Lego.Racks;

/// <summary>Where progress may be shown.</summary>
internal enum ProgressStyle
{
    /// <summary>On standard error, spinner or plain lines.</summary>
    Open,
    /// <summary>Only on a terminal: standard error belongs to a program.</summary>
    Discreet,
}

/// <summary>Announces steps that take time.</summary>
internal sealed class Progress
{
    private const int DelayMs = 1000;
    private const int RefreshMs = 200;
    private const string Spinner = "|/-\\";

    private readonly TextWriter? _terminal;
    private readonly bool _plainLines;

    public Progress(ProgressStyle style)
    {
        if (!Console.IsErrorRedirected)
        {
            _terminal = Console.Error;
        }
        else if (style == ProgressStyle.Open)
        {
            _plainLines = true;
        }
        else
        {
            _terminal = OpenControllingTerminal();
        }
    }

    /// <summary>Begins a step; dispose the result when it is done.</summary>
    public IDisposable Step(string text) => new RunningStep(this, text);

    private static StreamWriter? OpenControllingTerminal()
    {
        try
        {
            return new StreamWriter(new FileStream("/dev/tty", FileMode.Open, FileAccess.Write)) { AutoFlush = true };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private sealed class RunningStep : IDisposable
    {
        private readonly Progress _progress;
        private readonly string _text;
        private readonly long _start = Stopwatch.GetTimestamp();
        private readonly Timer _timer;
        private readonly Lock _lock = new();
        private int _shown;
        private bool _ended;

        public RunningStep(Progress progress, string text)
        {
            _progress = progress;
            _text = text;
            _timer = new Timer(_ => Show(), null, DelayMs, RefreshMs);
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _ended = true;
                _timer.Dispose();
                if (_shown > 0)
                {
                    // ECMA-48 EL: erase the whole line.
                    _progress._terminal?.Write("\r\x1b[2K");
                }
            }
        }

        private void Show()
        {
            lock (_lock)
            {
                if (_ended)
                {
                    return;
                }

                if (_progress._terminal is { } terminal)
                {
                    int seconds = (int)Stopwatch.GetElapsedTime(_start).TotalSeconds;
                    terminal.Write($"\r\x1b[2Klego: {Spinner[_shown % Spinner.Length]} {_text} ... {seconds} s");
                }
                else if (_progress._plainLines && _shown == 0)
                {
                    Console.Error.WriteLine($"lego: {_text} ...");
                }

                _shown++;
            }
        }
    }
}
