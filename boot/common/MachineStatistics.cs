// Counters of the parts below the monitors: the nucleus, an endpoint, the membership; and the membership's part in an orderly end.

using Lego.Common.Control;
using Lego.Common.Membership;
using Lego.Drivers;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Boot;

/// <summary>Reports the nucleus.</summary>
public sealed class MachineStatistics(FrameAllocator frames) : ControlService
{
    private const ulong NsPerMillisecond = 1_000_000;

    public override void Report(ref StatisticsWriter writer)
    {
        writer.Add("machine.frames_total"u8, frames.TotalPages);
        writer.Add("machine.frames_free"u8, frames.FreePages);
        writer.Add("machine.thread_switches"u8, Scheduler.Switches);
        writer.Add("machine.uptime_ms"u8, Clock.NowNs() / NsPerMillisecond);
        writer.Add("machine.cpus"u8, (ulong)Processors.Count);
        writer.Add("machine.flush_interrupts"u8, FlushInterrupts());
        writer.Add("machine.ticks_per_second"u8, Clock.TicksPerSecond);
    }

    private static ulong FlushInterrupts()
    {
        ulong sum = 0;
        for (int index = 0; index < Processors.Count; index++)
        {
            sum += Processors.FlushInterrupts(index);
        }

        return sum;
    }
}

/// <summary>Reports the devices.</summary>
public sealed class DeviceStatistics(DeviceSet devices) : ControlService
{
    public override void Report(ref StatisticsWriter writer) => devices.Report(ref writer);
}

/// <summary>Reports an endpoint.</summary>
public sealed class FabricStatistics(RpcEndpoint endpoint) : ControlService
{
    public override void Report(ref StatisticsWriter writer) => endpoint.Report(ref writer);
}

/// <summary>Reports a membership client, and has it leave the rack before the machine ends.</summary>
public sealed class MembershipControl(MembershipClient membership) : ControlService
{
    public override void Report(ref StatisticsWriter writer) => membership.Report(ref writer);

    /// <summary>The last service of a component: what it has to write back is written.</summary>
    public override Errno Shutdown()
    {
        membership.Leave();
        return Errno.None;
    }
}
