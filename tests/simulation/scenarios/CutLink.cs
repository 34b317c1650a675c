// The cable between a processor and a memory component is cut for longer than a call waits, while a program forks: the home may have made
// a child's space of which the parent never hears. What has become of it is settled when the cable is whole again.

using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Forks whose answers get lost.</summary>
internal sealed class CutLink : Scenario
{
    private const ulong MillisecondNs = 1_000_000;
    private const int Forks = 20;
    private const int Killer = 1;
    private const int Processor = 0;
    private const int Memory = 1;
    private const int SigKill = 9;
    /// <summary>Longer than a call's patience, and shorter than twice that: what a program does in its despair is heard.</summary>
    private const ulong CutNs = 22_000 * MillisecondNs;

    internal override string Name => "cut-link";

    internal override RackOptions Options(Choices choices) => new() { Network = NetworkKind.Ethernet };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        CodeSpace code = rack.Simulation.Code;
        code.SetProgram(0, program =>
        {
            for (int fork = 0; fork < Forks; fork++)
            {
                program.Fork(child => child.Pause());
            }

            program.Pause();
        });
        code.SetProgram(Killer, program => program.Kill(-1, SigKill));
        ushort session = rack.Start(0);
        rack.AwaitStart(session);
        Scheduler.Sleep((ulong)choices.Next(20) * MillisecondNs);
        rack.SetCut(Processor, Memory, isCut: true);
        Scheduler.Sleep(CutNs);
        rack.SetCut(Processor, Memory, isCut: false);
        Check.Equal(0u, rack.AwaitExit(rack.Start(Killer)), "the killer's wait status");
        rack.AwaitEnd(session);
        resources.AreBack();
    }
}
