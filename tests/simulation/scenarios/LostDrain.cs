// Memory components are drained while programs write and fork, and one that is no program's home stands still at some moment: the old
// owner of a piece that is on its way, its target, or neither. When it comes back in time all is as if nothing had been. When it is given
// up, whoever asks for a page that was its own ends, and nobody ever reads a page that is older than what it wrote last.

using System.Collections.Generic;
using System.Linq;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Two programs with pages at all three.</summary>
internal sealed class LostDrain : Scenario
{
    private const ulong SecondNs = 1_000_000_000;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const int Pages = 40;
    private const int Turns = 14;
    private const int FixedAnonymous = 0x32;
    private const uint Killed = 9;
    private const int PatientUs = 300_000;

    internal override string Name => "lost-drain";

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with
    {
        MoreMemories = 2,
        RegionBytes = (choices.Next(2) == 0 ? 4UL : 16UL) * PageBytes,
        BootLine = "excache=128K ways=4 policy=lru placement=round-robin",
    };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, Write);
        ushort[] sessions = [rack.Start(0), rack.Start(0)];
        foreach (ushort session in sessions)
        {
            rack.AwaitStart(session);
        }

        Drainer drainer = new(rack, choices);
        for (int steps = choices.Next(40); steps > 0; steps--)
        {
            drainer.Step();
        }

        drainer.MostPauseUs = PatientUs;
        ulong stillNs = (choices.Next(3) switch { 0 => 2UL, 1 => 9UL, _ => 50UL }) * SecondNs;
        bool isLost = stillNs > 2 * SecondNs;
        int[] owners = [.. Enumerable.Range(0, rack.Machines.Length).Where(rack.HasParts)];
        if (owners.Length > 0)
        {
            int owner = owners[choices.Next(owners.Length)];
            rack.Machines[owner].StopFor(stillNs);
            if (isLost && choices.Next(2) == 0)
            {
                rack.Channel.Send(ControlFrameType.MachineEnded, 0, (byte)(owner + 1), 0, 0, 0);
                HeardFrame answer = rack.Take(frame => frame.Type == ControlFrameType.RackLives);
                Check.Equal(1u, answer.Number(1), "whether the rack goes on without it");
            }
        }

        IEnumerable<uint> ends = drainer.AwaitEnds(sessions);
        Check.That(ends.All(end => end == 0 || (isLost && end == Killed)), $"wait statuses {string.Join(", ", ends)}");
        Scheduler.Sleep(60 * SecondNs);
        resources.AreBack();
    }

    /// <summary>Each page is read before it is written to again; children read them all, and write to theirs.</summary>
    private static void Write(UserProgram program)
    {
        if (program.Map(Area, Pages * PageBytes, 3, FixedAnonymous) != Area)
        {
            return;
        }

        byte[] values = new byte[Pages];
        for (int turn = 1; turn <= Turns; turn++)
        {
            for (int page = 0; page < Pages; page++)
            {
                ulong address = Area + ((ulong)page * PageBytes);
                Check.Equal(values[page], program.Load(address), $"page {address}");
                values[page] = (byte)((turn * 17) + page);
                program.Store(address, values[page]);
            }

            if (turn % 4 == 0)
            {
                // A fork that an owner cannot carry out is refused, and a child that has lost a page ends.
                byte[] copy = [.. values];
                long child = program.Fork(other => Look(other, copy));
                Check.That(child < 0 || program.WaitFor(child, out _) == child, "wait4");
            }

            program.Sleep(200_000);
        }
    }

    private static void Look(UserProgram program, byte[] values)
    {
        for (int page = 0; page < Pages; page++)
        {
            ulong address = Area + ((ulong)page * PageBytes);
            Check.Equal(values[page], program.Load(address), "a child's page");
            program.Store(address, (byte)~values[page]);
        }
    }
}
