// fsync while others dirty more pages of the same file: when it has returned, the storage component has everything that was written before
// it began.

using System;
using System.Linq;
using CsCheck;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>fsync against writers; the judge asks the storage component itself.</summary>
internal sealed class DurableFsync : Scenario
{
    private const int PageBytes = 4096;
    private const int Extents = 4;
    private const int ExtentPages = 8;

    internal override string Name => "durable-fsync";

    internal override Gen<Step[][]> Plans => RandomPlans.Programs(Extents, 2, 2, 2, 12);

    internal override string Describe(Step step) => $"page {PageOf(step)}";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        bool isOpen = false;
        rack.Simulation.Code.SetProgram(0, program =>
        {
            long file = program.Open("/tmp/f", UserProgram.ReadWrite | UserProgram.Create);
            // The first write of a boot goes through to the disk; it is not the one that is looked at.
            program.WriteAt(file, 0, new byte[1]);
            program.Synchronize(file);
            isOpen = true;
            foreach (Step step in plan[0])
            {
                program.WriteAt(file, (ulong)PageOf(step) * PageBytes, [1, 2, 3]);
            }

            Check.Equal(0, program.Synchronize(file), "fsync");
            foreach (Step step in plan[0])
            {
                byte[] stored = new byte[3];
                Errno error = rack.ReadAtStorage("/tmp/f", (ulong)PageOf(step) * PageBytes, stored);
                Check.Equal(Errno.None, error, "a read at the storage component");
                Check.SameBytes([1, 2, 3], stored, $"page {PageOf(step)} at the storage component after fsync");
            }

            program.Close(file);
        });
        rack.Simulation.Code.SetProgram(1, program =>
        {
            while (!isOpen)
            {
                program.Sleep(20_000);
            }

            long file = program.Open("/tmp/f", UserProgram.ReadWrite);
            foreach (Step step in plan[1])
            {
                program.WriteAt(file, ((ulong)PageOf(step) * PageBytes) + 100, [9]);
            }

            program.Close(file);
        });
        ushort[] sessions = [rack.Start(0), rack.Start(1)];
        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
        }

        rack.Simulation.Code.SetProgram(2, program => program.Unlink("/tmp/f"));
        rack.AwaitExit(rack.Start(2));
        resources.AreBack();
    }

    /// <summary>Pages in clusters with holes in between, so that runs of dirty ones are short.</summary>
    private static int PageOf(Step step) => (step.Kind * 40) + (step.A % ExtentPages);
}
