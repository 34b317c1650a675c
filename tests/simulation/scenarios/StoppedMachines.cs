// Machines stand still for a while and go on: a host that suspends, an emulator that is stopped. A stop that all share is nobody's death;
// one that is longer than the manager's patience is a death, whose programs end everywhere; a shorter one is nothing but slow.

using CsCheck;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Who stops for how long, while a program maps memory and writes a file.</summary>
internal sealed class StoppedMachines : Scenario
{
    private const ulong SecondNs = 1_000_000_000;
    private const ulong NewRegionBytes = 1UL << 31;
    private const int Processor = 0;
    private const int Memory = 1;
    private const int Storage = 2;
    private const int Rounds = 60;

    internal override string Name => "stopped-machines";

    internal override RackOptions Options(Choices choices) => new();

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        int rounds = 0;
        rack.Simulation.Code.SetProgram(0, program =>
        {
            long file = program.Open("/tmp/f", UserProgram.ReadWrite | UserProgram.Create);
            for (int round = 0; round < Rounds; round++)
            {
                program.Sleep(SecondNs / 5);
                ulong address = program.Map(0, NewRegionBytes, 3, 0x4022);
                Check.That((long)address > 0, $"mmap of a new region: {(long)address}");
                program.Store(address, (byte)round);
                Check.Equal(8, program.WriteAt(file, (ulong)round * 8, new byte[8]), "pwrite");
                Check.Equal((byte)round, program.Load(address), "memory");
                Check.Equal(0, program.Unmap(address, NewRegionBytes), "munmap");
                rounds++;
            }

            program.Unlink("/tmp/f");
        });
        ushort session = rack.Start(0);
        rack.AwaitStart(session);
        Scheduler.Sleep((ulong)choices.Next(3000) * 1_000_000);
        switch (choices.Next(4))
        {
            case 0:
                foreach (SimMachine machine in rack.Machines)
                {
                    machine.StopFor(10 * SecondNs);
                }

                MustLive(rack, session);
                break;
            case 1:
                rack.Machines[Memory].StopFor((3 * SecondNs) + ((ulong)choices.Next(2000) * 1_000_000));
                MustLive(rack, session);
                break;
            case 2:
                rack.Machines[Storage].StopFor(5 * SecondNs);
                MustLive(rack, session);
                break;
            default:
                rack.Machines[Processor].StopFor(9 * SecondNs);
                Check.Equal(9u, rack.AwaitEnd(session), "wait status of a program whose processor component was given up");
                rack.Take(frame => frame.Type == ControlFrameType.MemberFailed);
                int roundsAtDeath = rounds;
                // It goes on two seconds after its death, and joins again when it hears of that.
                Scheduler.Sleep(6 * SecondNs);
                Check.That(rounds <= roundsAtDeath + 1, "a program that was reported dead goes on");
                rack.Simulation.Code.SetProgram(1, program => program.Unlink("/tmp/f"));
                Check.Equal(0u, rack.AwaitExit(rack.Start(1)), "a program after the processor component has come back");
                break;
        }

        resources.AreBack();
    }

    private static void MustLive(Rack rack, ushort session)
    {
        Check.Equal(0u, rack.AwaitEnd(session), "wait status");
        Check.That(!rack.Channel.Heard.Exists(frame => frame.Type == ControlFrameType.MemberFailed), "a component was given up");
    }
}
