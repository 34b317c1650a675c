// What a run did, in words. Kept only when somebody will read it: a failing seed is run again with a trace.

using System.Collections.Generic;
using System.Globalization;

namespace Lego.Simulation;

/// <summary>Lines of "time machine what"; the last ones count.</summary>
internal sealed class Trace(int mostLines)
{
    private readonly Queue<string> _lines = new();

    internal bool IsOn => mostLines > 0;

    internal IEnumerable<string> Lines => _lines;

    internal void Say(Simulation simulation, SimMachine machine, string what)
    {
        if (!IsOn)
        {
            return;
        }

        if (_lines.Count == mostLines)
        {
            _lines.Dequeue();
        }

        double microseconds = simulation.NowNs / 1000.0;
        _lines.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{microseconds,12:0.0} {machine.Name} {what}"));
    }
}
