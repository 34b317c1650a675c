// One machine of the simulated rack: its memory, its sources of work, its threads. One CPU: of its threads one at most is not waiting or
// ready.

using System.Collections.Generic;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>A machine.</summary>
internal sealed unsafe class SimMachine(Simulation simulation, string name, int number, FrameAllocator frames)
{
    internal readonly Simulation Simulation = simulation;
    internal readonly string Name = name;
    internal readonly int Number = number;
    internal readonly FrameAllocator Frames = frames;
    internal readonly List<PollSource> Sources = [];
    internal readonly List<SimThread> Threads = [];

    /// <summary>The thread that kernel code of this machine runs in; the idle thread while the scheduler polls for it.</summary>
    internal Thread* Current;
    internal readonly Thread* Idle = Thread.New(null);
    /// <summary>Polls for a flag and keeps the CPU.</summary>
    internal SimThread? Spinner;
    /// <summary>Something has arrived that a poll would find.</summary>
    internal bool HasNews;
    /// <summary>A flag that a thread may wait for has been set.</summary>
    internal bool Notified;
    internal ulong Switches;
    /// <summary>Until then nothing of it runs.</summary>
    internal ulong StoppedUntilNs;
    /// <summary>Who is told what the programs of this machine do.</summary>
    internal UserModeHandler? UserModeHandler;

    /// <summary>The machine stands still; time and the others go on.</summary>
    internal void StopFor(ulong nanoseconds)
    {
        StoppedUntilNs = Simulation.NowNs + nanoseconds;
        Simulation.At(StoppedUntilNs, new SimEvent(this, static () => { }));
    }
}
