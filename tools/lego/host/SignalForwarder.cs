// Catches the signals that would end the tool and offers them to a handler, which passes them on to the program: Ctrl-C means the program,
// not the tool. When the program does not end, the third signal within two seconds is the user's last word and ends the rack.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Lego.Tool;

/// <summary>Takes over SIGINT, SIGTERM, SIGHUP and SIGQUIT until it is disposed.</summary>
internal sealed class SignalForwarder : IDisposable
{
    private const int Insistence = 3;
    private static readonly TimeSpan s_insistenceSpan = TimeSpan.FromSeconds(2);

    private static readonly (PosixSignal Signal, int Number)[] s_signals =
    [
        (PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGQUIT, 3), (PosixSignal.SIGTERM, 15),
    ];

    private readonly List<PosixSignalRegistration> _registrations = [];
    private readonly Queue<long> _recent = new();
    private readonly Action<int> _onSignal;
    private readonly Action<int> _onInsistence;

    /// <param name="onSignal">Gets each signal's Linux number; called on any thread.</param>
    /// <param name="onInsistence">Gets the third signal within two seconds instead.</param>
    public SignalForwarder(Action<int> onSignal, Action<int> onInsistence)
    {
        _onSignal = onSignal;
        _onInsistence = onInsistence;
        foreach ((PosixSignal signal, int number) in s_signals)
        {
            _registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = true;
                Handle(number);
            }));
        }
    }

    public void Dispose() => _registrations.ForEach(r => r.Dispose());

    private void Handle(int number)
    {
        bool insists;
        lock (_recent)
        {
            _recent.Enqueue(Stopwatch.GetTimestamp());
            while (_recent.Count > Insistence)
            {
                _recent.Dequeue();
            }

            insists = _recent.Count == Insistence && Stopwatch.GetElapsedTime(_recent.Peek()) < s_insistenceSpan;
        }

        (insists ? _onInsistence : _onSignal)(number);
    }
}
