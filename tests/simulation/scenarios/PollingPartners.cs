// Two processes play ping-pong and sleep in poll without a limit, while a third one keeps taking the lines that hold their arrays: a change that comes
// in the middle of a round of poll must not be lost.

using System;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>poll over pipes under pressure.</summary>
internal sealed class PollingPartners : Scenario
{
    private const int Rounds = 12;
    private const int CrowdPages = 40;
    private const ulong PageBytes = 4096;
    private const ulong CrowdArea = 0x20_0000_0000;
    private const short Readable = 1;
    /// <summary>The first entry ends one page, the second one begins the next.</summary>
    private const ulong Entries = UserProgram.BufferArea + (4 * PageBytes) - 8;

    internal override string Name => "polling-partners";

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with { BootLine = "excache=128K ways=1 policy=lru" };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            program.Pipe(out int firstReader, out int firstWriter);
            program.Pipe(out int secondReader, out int secondWriter);
            program.Pipe(out int backReader, out int backWriter);
            long partner = program.Fork(child =>
            {
                for (int round = 0; round < Rounds; round++)
                {
                    Check.Equal(1, child.Read(backReader, 1, out _), "the partner's read");
                    Check.Equal(1, child.Write(round % 2 == 0 ? firstWriter : secondWriter, new byte[1]), "the partner's write");
                }
            });
            long crowd = program.Fork(Crowd);
            for (int round = 0; round < Rounds; round++)
            {
                Check.Equal(1, program.Write(backWriter, new byte[1]), "write");
                PutEntry(program, Entries, firstReader);
                PutEntry(program, Entries + 8, secondReader);
                Check.Equal(1, program.Call(7, Entries, 2, ulong.MaxValue), "poll");
                Check.Equal(1, program.Read(round % 2 == 0 ? firstReader : secondReader, 1, out _), "read");
            }

            program.WaitFor(partner, out _);
            program.WaitFor(crowd, out _);
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(0)), "wait status");
        resources.AreBack();
    }

    private static void PutEntry(UserProgram program, ulong address, int descriptor)
    {
        program.Store(address, BitConverter.GetBytes(descriptor));
        program.Store(address + 4, BitConverter.GetBytes((int)Readable));
    }

    private static void Crowd(UserProgram program)
    {
        program.Map(CrowdArea, CrowdPages * PageBytes, 3, 0x32);
        for (int turn = 0; turn < 3; turn++)
        {
            for (int page = 0; page < CrowdPages; page++)
            {
                program.Store(CrowdArea + ((ulong)page * PageBytes), (byte)turn);
            }
        }
    }
}
