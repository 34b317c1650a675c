// Two processes play ping-pong; one of them sleeps in poll without a limit. Before each answer the other one takes the line away that holds
// the second half of the array of poll, and wakes the sleeper in vain: a change that comes in the middle of the round that follows must not
// be lost.

using System;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>poll over pipes under pressure.</summary>
internal sealed class PollingPartners : Scenario
{
    private const int Rounds = 10;
    private const int Sets = 32;
    private const ulong PageBytes = 4096;
    private const ulong Elsewhere = 0x20_0000_0000;
    private const int Readable = 1;
    /// <summary>The first entry ends one page, the second one begins the next.</summary>
    private const ulong SecondEntry = UserProgram.BufferArea + (4 * PageBytes);
    private const ulong Entries = SecondEntry - 8;
    /// <summary>A page that shares its set, of one line, with the second entry's.</summary>
    private const ulong Rival = Elsewhere + (SecondEntry / PageBytes % Sets * PageBytes);

    internal override string Name => "polling-partners";

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with { BootLine = "excache=128K ways=1 policy=lru" };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            program.Pipe(out int answerReader, out int answerWriter);
            program.Pipe(out int otherReader, out int otherWriter);
            program.Pipe(out int questionReader, out int questionWriter);
            program.Pipe(out _, out int nobodysWriter);
            long partner = program.Fork(child =>
            {
                child.Map(Elsewhere, Sets * PageBytes, 3, 0x32);
                for (int round = 0; round < Rounds; round++)
                {
                    Check.Equal(1, child.Read(questionReader, 1, out _), "the partner's read");
                    child.Sleep((ulong)rack.Simulation.Choices.Next(200_000));
                    child.Store(Rival, (byte)round);
                    child.Write(nobodysWriter, new byte[1]);
                    Check.Equal(1, child.Write(answerWriter, new byte[1]), "the partner's write");
                }
            });
            for (int round = 0; round < Rounds; round++)
            {
                Check.Equal(1, program.Write(questionWriter, new byte[1]), "write");
                PutEntry(program, Entries, answerReader);
                PutEntry(program, SecondEntry, otherReader);
                Check.Equal(1, program.Call(7, Entries, 2, ulong.MaxValue), "poll");
                Check.Equal(1, program.Read(answerReader, 1, out _), "read");
            }

            Check.Equal(partner, program.WaitFor(partner, out uint status), "wait4");
            Check.Equal(0u, status, "the partner's wait status");
            program.Close(otherWriter);
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(0)), "wait status");
        resources.AreBack();
    }

    private static void PutEntry(UserProgram program, ulong address, int descriptor)
    {
        program.Store(address, BitConverter.GetBytes(descriptor));
        program.Store(address + 4, BitConverter.GetBytes(Readable));
    }
}
