// The rack tool does not read for a while. Programs that write wait, and nothing else happens: nobody is given up, other programs run,
// kills work, and what was written arrives whole.

using System.Linq;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Writers whose reader pauses.</summary>
internal sealed class PausedReader : Scenario
{
    private const ulong SecondNs = 1_000_000_000;
    private const int BlockBytes = 32 * 1024;
    private const int Bystander = 1;

    internal override string Name => "paused-reader";

    internal override RackOptions Options(Choices choices) =>
        new() { Network = choices.Next(2) == 0 ? NetworkKind.Ring : NetworkKind.Ethernet };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        int writers = 1 + choices.Next(8);
        int blocks = 1 + choices.Next(4);
        bool kills = choices.Next(3) == 0;
        rack.Simulation.Code.SetProgram(0, program =>
        {
            for (int writer = 0; writer < writers; writer++)
            {
                program.Fork(child =>
                {
                    for (int block = 0; block < blocks; block++)
                    {
                        Check.Equal(BlockBytes, child.Write(1, new byte[BlockBytes]), "write to standard output");
                    }
                });
            }

            for (int writer = 0; writer < writers; writer++)
            {
                Check.That(program.WaitFor(-1, out uint status) > 0 && status == 0, $"a writer's wait status: {status:x}");
            }
        });
        rack.Simulation.Code.SetProgram(Bystander, program =>
        {
            long file = program.Open("/tmp/f", UserProgram.ReadWrite | UserProgram.Create);
            Check.Equal(3, program.Write(file, "abc"), "write to a file");
            program.Close(file);
            program.Unlink("/tmp/f");
        });
        rack.Channel.IsPaused = true;
        ushort session = rack.Start(0);
        Scheduler.Sleep((1 + (ulong)choices.Next(12)) * SecondNs);
        ulong startedNs = rack.Simulation.NowNs;
        if (kills)
        {
            rack.Channel.Send(ControlFrameType.Signal, session, 9, 0, 0, 0);
            Scheduler.Sleep(SecondNs);
            Check.Equal(0UL, ResourceCheck.Counters(rack)["processor.files.pipes"], "pipes");
        }

        ushort bystander = rack.Start(Bystander);
        Scheduler.Sleep(SecondNs);
        rack.Channel.IsPaused = false;
        Check.Equal(0u, rack.AwaitExit(bystander), "wait status of a bystander");
        rack.AwaitStart(session);
        // Short output fits into the buffers on the way: its writers have ended before the kill.
        uint status = rack.AwaitEnd(session);
        Check.That(status == 0 || (kills && status == 9), $"wait status of the writers' parent: {status:x}");
        Check.That(!rack.Channel.Heard.Exists(frame => frame.Type == ControlFrameType.MemberFailed), "a component was given up");
        long bytes = rack.Channel.Heard.Where(frame => frame.Type == ControlFrameType.StandardOutput)
            .Sum(frame => (long)frame.Payload.Length);
        Check.That(kills || bytes == (long)writers * blocks * BlockBytes, $"{bytes} bytes of output");
        resources.AreBack();
    }
}
