// One of two processor components is lost while programs on both use the same files: it stands still, and the rack tool says that its
// machine has ended or the manager finds out by silence. Its program ends with it; the other one's work goes on, new programs go to the
// other one, and nothing of the lost one stays at memory, storage and manager.

using System;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>The end of one of several.</summary>
internal sealed class LostProcessor : Scenario
{
    private const ulong MillisecondNs = 1_000_000;
    /// <summary>Longer than the manager's patience; afterwards it finds out that it has been given up, and joins again.</summary>
    private const ulong LostNs = 15_000 * MillisecondNs;
    private const uint Killed = 9;
    private const int Rounds = 30;
    private static readonly ushort[] s_nodes = [1, 5];

    internal override string Name => "lost-processor";

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with { MoreProcessors = 1 };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        CodeSpace code = rack.Simulation.Code;
        code.SetProgram(0, Work);
        code.SetProgram(1, Follow);
        code.SetProgram(2, static program => program.Sleep(MillisecondNs));
        int lost = choices.Next(s_nodes.Length);
        ushort lostNode = s_nodes[lost];
        ushort otherNode = s_nodes[1 - lost];
        ushort working = rack.StartOn(otherNode, 0);
        ushort ending = rack.StartOn(lostNode, 1);
        uint workerId = rack.AwaitStart(working);
        Check.That(workerId != rack.AwaitStart(ending), "two processes of a rack have one id");
        Scheduler.Sleep((ulong)choices.Next(300) * MillisecondNs);
        rack.Machines[lostNode - 1].StopFor(LostNs);
        if (choices.Next(2) == 0)
        {
            rack.Channel.Send(ControlFrameType.MachineEnded, 0, (byte)lostNode, 0, 0, 0);
        }

        HeardFrame said = rack.Take(frame => frame.Session == ending && frame.Type == ControlFrameType.ProgramLost);
        Check.Equal((uint)lostNode, said.Number(0), "the component that a program was lost with");
        Check.Equal(Killed, rack.AwaitEnd(ending), "wait status of a program that was lost");
        Check.Equal(0u, rack.AwaitEnd(working), "wait status of a program on the other component");
        ushort next = rack.Start(2);
        Check.Equal(workerId / Lego.Processor.Processes.IdsPerComponent, rack.AwaitStart(next) / Lego.Processor.Processes.IdsPerComponent,
            "the component of a program that is started afterwards");
        Check.Equal(0u, rack.AwaitEnd(next), "its wait status");
        Check.That(!rack.Channel.Heard.Exists(frame => frame.Type == ControlFrameType.MemberFailed), "all are told of what is one's loss");
        Scheduler.Sleep(LostNs);
        Check.Equal(0u, rack.AwaitExit(rack.StartOn(lostNode, 2)), "wait status of a program on the component that has come back");
        resources.AreBack();
    }

    /// <summary>Makes, renames and removes files, some of which the other program has open.</summary>
    private static void Work(UserProgram program)
    {
        for (int round = 0; round < Rounds; round++)
        {
            long file = program.Open("/tmp/new", UserProgram.ReadWrite | UserProgram.Create);
            byte[] bytes = new byte[64];
            Array.Fill(bytes, (byte)round);
            Check.Equal(bytes.Length, program.WriteAt(file, 0, bytes), "pwrite");
            Check.Equal(0, program.Rename("/tmp/new", "/tmp/shared"), "rename");
            program.Sleep(20 * MillisecondNs);
            Check.Equal(bytes.Length, program.ReadAt(file, 0, bytes.Length, out byte[] read), "pread");
            Check.That(read.AsSpan().SequenceEqual(bytes), "what was written is not what is read");
            Check.Equal(0, program.Unlink("/tmp/shared"), "unlink");
            Check.Equal(0, program.Close(file), "close");
        }
    }

    /// <summary>Opens and reads what the other one makes, for ever.</summary>
    private static void Follow(UserProgram program)
    {
        while (true)
        {
            long file = program.Open("/tmp/shared", UserProgram.ReadWrite);
            if (file >= 0)
            {
                program.SizeOf(file);
                program.ReadAt(file, 0, 64, out _);
                program.Sleep(15 * MillisecondNs);
                program.Close(file);
            }
            else
            {
                program.Sleep(MillisecondNs);
            }
        }
    }
}
