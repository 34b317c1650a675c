// A parent that waits in vfork for its sleeping child is killed: it ends at once, long before the child.

using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>SIGKILL for a vfork's parent alone.</summary>
internal sealed class KilledVforkParent : Scenario
{
    private const ulong MillisecondNs = 1_000_000;
    private const ulong ChildSleepsNs = 5_000 * MillisecondNs;
    private const ulong MostDyingNs = 1_000 * MillisecondNs;
    private const int Killer = 1;

    internal override string Name => "vfork-parent";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        uint parent = 0;
        rack.Simulation.Code.SetProgram(0, program =>
        {
            program.VFork(child => child.Sleep(ChildSleepsNs));
            program.Pause();
        });
        rack.Simulation.Code.SetProgram(Killer, program => Check.Equal(0, program.Kill(parent, 9), "kill"));
        ushort session = rack.Start(0);
        parent = rack.AwaitStart(session);
        Scheduler.Sleep((ulong)choices.Next(20) * MillisecondNs);
        Check.Equal(0u, rack.AwaitExit(rack.Start(Killer)), "the killer's wait status");
        ulong killedNs = rack.Simulation.NowNs;
        Check.Equal(9u, rack.AwaitEnd(session), "the parent's wait status");
        Check.That(rack.Simulation.NowNs - killedNs < MostDyingNs,
            $"the kill took {(rack.Simulation.NowNs - killedNs) / MillisecondNs} ms");
        Scheduler.Sleep(ChildSleepsNs);
        resources.AreBack();
    }
}
