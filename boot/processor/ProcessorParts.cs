// How the processor monitor appears to the parts that all components share: its load in heartbeats and its counters.
// Used by the processor image and by solo.

using Lego.Common.Control;
using Lego.Common.Membership;
using Lego.Fabric;
using Lego.Kernel;
using Lego.Processor;

namespace Lego.Boot;

/// <summary>Load of a processor component.</summary>
public sealed class ProcessorLoad(ProcessorMonitor monitor) : LoadSource
{
    public override void Measure(out ComponentLoad load) => load = new ComponentLoad
    {
        FreeBytes = monitor.Frames.FreePages * PageOperations.PageSize,
        Threads = (uint)monitor.Processes.Count,
    };
}

/// <summary>Counters and shutdown of a processor component.</summary>
public sealed class ProcessorControl(ProcessorMonitor monitor) : ControlService
{
    public override void Report(ref StatisticsWriter writer) => monitor.Report(ref writer);

    public override Errno Shutdown()
    {
        monitor.Files.Kept.WriteOutAll();
        return Errno.None;
    }
}

/// <summary>Lives of a processor component: its programs end with each.</summary>
public sealed class ProcessorLife(EntropySource? entropy, ProcessorMonitor monitor) : ComponentLife(entropy)
{
    public override void End() => monitor.EndPrograms();

    public override void OnProcessors(int count) => monitor.ShareRack(count);
}

/// <summary>Programs end with the memory component that is their home.</summary>
public sealed class ProcessorWatcher(ProcessorMonitor monitor) : PeerWatcher
{
    public override void Departed(ushort node) => monitor.Departed(node);
}
