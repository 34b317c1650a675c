// Two vNodes use the same paths and addresses at the same time, kill whatever process they can name, and ask for what is not theirs; the
// manager's machine may end meanwhile. Each reads back only what it has written, a made up vNode is refused and counted, and when their
// programs have ended nothing is left. The rack itself sees both trees.

using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>One program for each vNode, which differ in what they write.</summary>
internal sealed class TwoVNodes : Scenario
{
    private const ulong MillisecondNs = 1_000_000;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong Step = 0x1_0000_0000;
    private const int Rounds = 8;
    private const int FixedAnonymous = 0x32;
    private const int SharedFile = 1;
    private const int Hangup = 1;
    private const int NoSuchProcess = -3;
    private const uint MostIds = 32;
    private const ushort NeverMade = 60;
    private const string Path = "/tmp/same";

    private Rack? _rack;

    internal override string Name => "two-vnodes";

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with
    {
        MoreProcessors = choices.Next(2),
        MoreMemories = choices.Next(2),
        RegionBytes = 4 * PageBytes,
    };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        _rack = rack;
        CodeSpace code = rack.Simulation.Code;
        code.SetProgram(0, static program => Work(program, 1));
        code.SetProgram(1, static program => Work(program, 2));
        code.SetProgram(2, Forge);
        code.SetProgram(3, static program => Follow(program, "/vnodes/one" + Path, 1));
        code.SetProgram(4, static program => Follow(program, "/vnodes/two" + Path, 2));
        ushort[] vnodes = [rack.CreateVNode("one"), rack.CreateVNode("two")];
        Check.Equal(Errno.EEXIST, rack.AskOfVNodes("create one 0 0 /").Error, "making a vNode of a name that is taken");
        ResourceCheck resources = new(rack);
        ushort[] sessions = [rack.StartIn(vnodes[0], 0), rack.StartIn(vnodes[1], 1)];
        rack.AwaitStart(sessions[0]);
        rack.AwaitStart(sessions[1]);
        Check.Equal(Errno.EBUSY, rack.AskOfVNodes("rm one").Error, "taking a vNode away that has processes");
        Check.Equal(0UL, rack.VNodeViolations, "refusals of those that are admitted");
        if (choices.Next(2) == 0)
        {
            Scheduler.Sleep((ulong)choices.Next(300) * MillisecondNs);
            rack.ReplaceManager();
            Check.Equal($"{vnodes[1]}", rack.AskOfVNodes("find two").Text, "the number of a vNode that a former manager has made");
        }
        else
        {
            Check.Equal(0u, rack.AwaitEnd(sessions[0]), "wait status of the first vNode's program");
            Check.Equal(0u, rack.AwaitEnd(sessions[1]), "wait status of the second vNode's program");
        }

        Check.Equal(0u, rack.AwaitExit(rack.Start(3)), "wait status of who waits for the first vNode's file");
        Check.Equal(0u, rack.AwaitExit(rack.Start(4)), "wait status of who waits for the second vNode's file");
        Check.Equal(Errno.None, rack.AskOfVNodes("stop one").Error, "stopping a vNode");
        Check.Equal(Errno.None, rack.AskOfVNodes("stop two").Error, "stopping another one");
        Check.Equal(0UL, rack.VNodeViolations, "refusals of those that are admitted");
        Check.Equal(0u, rack.AwaitExit(rack.StartOn(1, 2)), "wait status of who speaks for others");
        // A wire that loses or doubles messages may bring one of the two again.
        Check.That(rack.VNodeViolations >= 2, "a refusal was not counted");
        resources.AreBack();
        Check.Equal(Errno.None, rack.AskOfVNodes("rm one").Error, "taking a vNode away");
        Check.Equal(Errno.ESRCH, rack.AskOfVNodes("find one").Error, "looking for a vNode that has gone");
    }

    private static void Work(UserProgram program, byte mark)
    {
        program.Handle(Hangup, static (_, _) => { }, 0);
        long file = program.Open(Path, UserProgram.ReadWrite | UserProgram.Create);
        Check.That(file >= 0, "open");
        Check.Equal(1, program.WriteAt(file, 0, [(byte)(mark << 4)]), "pwrite");
        Check.Equal(0, program.Truncate(file, PageBytes), "ftruncate");
        ulong mapped = Area - Step;
        Check.Equal(mapped, program.Map(mapped, PageBytes, 3, SharedFile | 0x10, file), "mmap of a file");
        for (int round = 1; round <= Rounds; round++)
        {
            ulong area = Area + ((ulong)round * Step);
            Check.Equal(area, program.Map(area, 2 * PageBytes, 3, FixedAnonymous), "mmap");
            program.Store(area, mark);
            program.Store(mapped + 1, mark);
            KillAll(program);
            program.Sleep(60 * MillisecondNs);
            Check.Equal(mark, program.Load(area), "a page");
            Check.Equal(mark, program.Load(mapped + 1), "a page of a file");
            program.ReadAt(file, 0, 1, out byte[] read);
            Check.Equal((byte)(mark << 4), read.Length == 1 ? read[0] : (byte)0, "the file's first byte");
            long again = program.Open(Path, UserProgram.ReadWrite);
            Check.That(again >= 0 && program.Close(again) == 0, "open again");
        }

        Check.Equal(1, program.WriteAt(file, 2, [(byte)(Rounds + mark)]), "the last pwrite");
        Check.Equal(0, program.Close(file), "close");
    }

    /// <summary>Nobody is there but the program itself.</summary>
    private static void KillAll(UserProgram program)
    {
        const int Kill = 9;
        long self = program.Call(39);
        long first = self - (self % Lego.Processor.Processes.IdsPerComponent);
        for (long id = first + 1; id < first + MostIds; id++)
        {
            Check.That(id == self || program.Kill(id, Kill) == NoSuchProcess, "a signal to a process of another vNode");
        }
    }

    /// <summary>Waits until a vNode's program has written its last bytes.</summary>
    private static void Follow(UserProgram program, string path, byte mark)
    {
        byte[] read = [];
        while (read.Length < 3 || read[1] != mark || read[2] != Rounds + mark)
        {
            program.Sleep(50 * MillisecondNs);
            long file = program.Open(path, UserProgram.ReadWrite);
            if (file >= 0)
            {
                program.ReadAt(file, 0, 3, out read);
                Check.Equal(0, program.Close(file), "close");
            }
        }

        Check.Equal((byte)(mark << 4), read[0], "a vNode's byte as the rack sees it");
        Check.Equal(0, program.Unlink(path), "unlink");
    }

    private void Forge(UserProgram program)
    {
        (Errno atMemory, Errno atStorage) = _rack!.ReadFor(NeverMade, Path);
        Check.Equal((Errno.EPERM, Errno.EPERM), (atMemory, atStorage), "requests in the name of a vNode that there is not");
    }
}
