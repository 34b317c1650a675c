// The manager's machine ends and another one takes its place, which knows nothing. Programs that do not mind losing their users' sides go
// on, open new vRegions and write files meanwhile; the others end as when a terminal goes. Programs that are started afterwards find the
// files where they are cached, and when all have ended nothing is left anywhere.

using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>A program that works on, one that a hang-up ends, and those that come after.</summary>
internal sealed class LostManager : Scenario
{
    private const ulong MillisecondNs = 1_000_000;
    private const ulong SecondNs = 1000 * MillisecondNs;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong Step = 0x1_0000_0000;
    private const ulong Pages = 12;
    private const int Rounds = 12;
    private const int FixedAnonymous = 0x32;
    private const int Hangup = 1;

    internal override string Name => "lost-manager";

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with
    {
        MoreProcessors = choices.Next(2),
        MoreMemories = 1 + choices.Next(2),
        RegionBytes = 4 * PageBytes,
        BootLine = "excache=128K ways=4 policy=lru placement=round-robin",
    };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        CodeSpace code = rack.Simulation.Code;
        code.SetProgram(0, Work);
        code.SetProgram(1, program => program.Sleep(1000 * SecondNs));
        code.SetProgram(2, Follow);
        code.SetProgram(3, static program => program.Sleep(MillisecondNs));
        rack.AwaitStart(rack.Start(0));
        rack.AwaitStart(rack.Start(1));
        for (int managers = 1 + choices.Next(2); managers > 0; managers--)
        {
            Scheduler.Sleep((ulong)choices.Next(800) * MillisecondNs);
            rack.ReplaceManager();
            Check.Equal(0u, rack.AwaitExit(rack.Start(3)), "wait status of a program that is started afterwards");
            Check.That(!rack.Channel.Heard.Exists(frame => frame.Type == ControlFrameType.MemberFailed), "a component was given up");
        }

        Check.Equal(0u, rack.AwaitExit(rack.Start(2)), "wait status of the program that reads what the first one has written");
        resources.AreBack();
    }

    /// <summary>Opens regions and writes what is in them to a file, round by round; the last word is written at the end.</summary>
    private static void Work(UserProgram program)
    {
        program.Handle(Hangup, static (_, _) => { }, 0);
        long file = program.Open("/tmp/work", UserProgram.ReadWrite | UserProgram.Create);
        for (int round = 0; round < Rounds; round++)
        {
            ulong area = Area + ((ulong)round * Step);
            Check.Equal(area, program.Map(area, Pages * PageBytes, 3, FixedAnonymous), "mmap");
            for (ulong page = 0; page < Pages; page++)
            {
                program.Store(area + (page * PageBytes), (byte)(round + 1));
            }

            program.Sleep(150 * MillisecondNs);
            for (ulong page = 0; page < Pages; page++)
            {
                Check.Equal((byte)(round + 1), program.Load(area + (page * PageBytes)), "a page");
            }

            Check.Equal(1, program.WriteAt(file, 0, [(byte)(round + 1)]), "pwrite");
        }

        Check.Equal(0, program.Close(file), "close");
    }

    /// <summary>Waits until the other program has written its last word.</summary>
    private static void Follow(UserProgram program)
    {
        long file = program.Open("/tmp/work", UserProgram.ReadWrite | UserProgram.Create);
        Check.That(file >= 0, "open");
        byte[] last;
        do
        {
            program.Sleep(100 * MillisecondNs);
            program.ReadAt(file, 0, 1, out last);
        }
        while (last is not [Rounds]);

        Check.Equal(0, program.Close(file), "close");
        program.Unlink("/tmp/work");
    }
}
