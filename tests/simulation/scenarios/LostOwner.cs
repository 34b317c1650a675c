// One of three memory components stands still until it is given up. It was no program's home: who has pages there ends when it asks for
// one, with a sentence, and the others go on, although lines of the former must make room for theirs. When the component is back, nothing
// is left anywhere. With two processor components there are such programs on both.

using System.Linq;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>A program with pages at all three, and one with none, on each processor component.</summary>
internal sealed class LostOwner(string name, int moreProcessors) : Scenario
{
    private const ulong SecondNs = 1_000_000_000;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong CrowdArea = 0x20_0000_0000;
    private const ulong Pages = 24;
    private const ulong CrowdPages = 96;
    private const int FixedAnonymous = 0x32;
    private const uint Killed = 9;

    private static readonly ushort[] s_processors = [1, 5];

    internal override string Name => name;

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with
    {
        MoreProcessors = moreProcessors,
        MoreMemories = 2,
        RegionBytes = 4 * PageBytes,
        BootLine = "excache=128K ways=4 policy=lru placement=round-robin",
    };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            Check.Equal(Area, program.Map(Area, Pages * PageBytes, 3, FixedAnonymous), "mmap");
            Fill(program, Area, Pages, 1);
            program.Sleep(40 * SecondNs);
            for (ulong page = 0; page < Pages; page++)
            {
                Check.Equal((byte)(page + 1), program.Load(Area + (page * PageBytes)), "a page");
            }

            throw new CheckFailed("a program that has lost pages has read them all");
        });
        rack.Simulation.Code.SetProgram(1, program =>
        {
            program.Sleep(20 * SecondNs);
            Check.Equal(CrowdArea, program.Map(CrowdArea, CrowdPages * PageBytes, 3, FixedAnonymous), "mmap after the failure");
            Fill(program, CrowdArea, CrowdPages, 7);
            long child = program.Fork(other => Check.Equal((byte)7, other.Load(CrowdArea), "the child's memory"));
            Check.Equal(child, program.WaitFor(child, out uint status), "wait4");
            Check.Equal(0u, status, "a child's wait status");
        });
        ushort[] losers = [.. s_processors.Take(1 + moreProcessors).Select(node => rack.StartOn(node, 0))];
        ushort[] others = [.. s_processors.Take(1 + moreProcessors).Select(node => rack.StartOn(node, 1))];
        foreach (ushort session in losers.Concat(others))
        {
            rack.AwaitStart(session);
        }

        Scheduler.Sleep(5 * SecondNs);
        int lost = Enumerable.Range(0, rack.Machines.Length).First(rack.HasParts);
        rack.Machines[lost].StopFor((ulong)(choices.Next(2) == 0 ? 9 : 50) * SecondNs);
        if (choices.Next(2) == 0)
        {
            rack.Channel.Send(ControlFrameType.MachineEnded, 0, (byte)(lost + 1), 0, 0, 0);
            HeardFrame answer = rack.Take(frame => frame.Type == ControlFrameType.RackLives);
            Check.Equal(1u, answer.Number(1), "whether the rack goes on without it");
        }

        foreach (ushort other in others)
        {
            Check.Equal(0u, rack.AwaitEnd(other), "wait status of a program without pages there");
        }

        foreach (ushort loser in losers)
        {
            Check.Equal(Killed, rack.AwaitEnd(loser), "wait status of a program with pages there");
            rack.Take(frame => frame.Session == loser && frame.Type == ControlFrameType.Sentence);
        }

        Check.That(!rack.Channel.Heard.Exists(frame => frame.Type == ControlFrameType.MemberFailed), "all are told of what is one's loss");
        Scheduler.Sleep(20 * SecondNs);
        resources.AreBack();
    }

    private static void Fill(UserProgram program, ulong start, ulong pages, int first)
    {
        for (ulong page = 0; page < pages; page++)
        {
            program.Store(start + (page * PageBytes), (byte)(page + (ulong)first));
        }
    }
}
