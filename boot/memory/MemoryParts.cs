// How the memory monitor appears to the parts that all components share: its load in heartbeats, its counters and its write-back at
// shutdown. Used by the memory image and by solo.

using Lego.Common.Control;
using Lego.Common.Membership;
using Lego.Fabric;
using Lego.Kernel;
using Lego.Memory;

namespace Lego.Boot;

/// <summary>Load of a memory component.</summary>
public sealed class MemoryLoad(MemoryMonitor monitor) : LoadSource
{
    public override void Measure(out ComponentLoad load) => load = new ComponentLoad
    {
        FreeBytes = monitor.FreeBytes,
        Roles = monitor.Roles,
    };
}

/// <summary>Counters and shutdown of a memory component.</summary>
public sealed class MemoryControl(MemoryMonitor monitor) : ControlService
{
    public override void Report(ref StatisticsWriter writer) => monitor.Report(ref writer);

    public override Errno Shutdown()
    {
        Errno error = monitor.Flush();
        ulong bytes = monitor.UnwrittenBytes;
        if (error != Errno.None || bytes != 0)
        {
            error = error == Errno.None ? Errno.EIO : error;
            Log.Error($"data loss: up to {bytes} bytes of files could not be written, errno {(int)error}");
        }

        return error;
    }
}

/// <summary>Lives of a memory component: its address spaces end with each.</summary>
public sealed class MemoryLife(EntropySource? entropy, MemoryMonitor monitor) : ComponentLife(entropy)
{
    public override void End() => monitor.EndSpaces();
}

/// <summary>What a memory component keeps for processor components ends with them.</summary>
public sealed class MemoryWatcher(MemoryMonitor monitor) : PeerWatcher
{
    public override void Departed(ushort node) => monitor.Departed(node);
}
