// One kernel thread of a simulated machine: a stack of the host, of which exactly one in the whole simulation runs at a time.

using System;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Where a simulated thread is in its life.</summary>
internal enum SimState
{
    /// <summary>Made, never ready yet.</summary>
    New,
    Ready,
    Running,
    /// <summary>Keeps its machine's CPU while it polls for a flag.</summary>
    Spinning,
    Waiting,
    Ended,
}

/// <summary>A thread and what it waits for.</summary>
internal sealed unsafe class SimThread(SimMachine machine, int number, string name)
{
    internal readonly SimMachine Machine = machine;
    internal readonly int Number = number;
    internal readonly string Name = name;
    /// <summary>What kernel code knows of the thread; null for the driver.</summary>
    internal Thread* Kernel;
    internal Action Main = static () => { };
    internal SimState State;
    internal bool* Flag;
    internal WaitQueue* Queue;
    internal ulong DeadlineNs = ulong.MaxValue;
    internal bool TimedOut;
    /// <summary>Increases with each wait: an old timer of an earlier wait is void.</summary>
    internal ulong WaitNumber;
    /// <summary>The host thread under it; null until it first runs.</summary>
    internal HostThread? Host;
    /// <summary>Its stack is empty again.</summary>
    internal bool HasUnwound;
    /// <summary>Where it stood when the run was given up.</summary>
    internal string? Stack;

    public override string ToString() => $"{Machine.Name}/{Name}#{Number}";
}
