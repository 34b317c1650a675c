// A program unmaps and maps pages of its arguments while another reads its command line: the stranger's reads must not fill pages of a
// range that is being changed, and the owner finds in them what it put there.

using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>/proc/PID/cmdline against munmap, mmap and mprotect of what it is read from.</summary>
internal sealed class ReadArguments : Scenario
{
    private const int Rounds = 10;
    private const int ArgumentBytes = 3 * PageOperations.PageSize;
    private const int FixedAnonymous = 0x32;
    private const int ReadWrite = 3;

    internal override string Name => "read-arguments";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        uint owner = 0;
        rack.Simulation.Code.SetProgram(0, program =>
        {
            owner = program.ProcessId;
            ulong page = (program.Stack + PageOperations.PageSize + (ArgumentBytes / 2)) & ~(PageOperations.PageSize - 1UL);
            for (int round = 0; round < Rounds; round++)
            {
                Check.Equal(0, program.Unmap(page, PageOperations.PageSize), "munmap");
                rack.CheckInvariants();
                Check.That(!program.TryLoad(page, out _), "a page that is unmapped can be read");
                Check.Equal(page, program.Map(page, PageOperations.PageSize, ReadWrite, FixedAnonymous), "mmap");
                rack.CheckInvariants();
                Check.Equal((byte)0, program.Load(page), "a new page");
                program.Store(page, (byte)(round + 1));
                Check.Equal(0, program.Protect(page, PageOperations.PageSize, 1), "mprotect");
                Check.That(!program.TryStore(page, 0), "a page that may only be read was written");
                Check.Equal((byte)(round + 1), program.Load(page), "the page");
            }
        });
        rack.Simulation.Code.SetProgram(1, program =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                long file = program.Open($"/proc/{owner}/cmdline", UserProgram.ReadOnly);
                if (file >= 0)
                {
                    program.Read(file, 2 * ArgumentBytes, out _);
                    program.Close(file);
                }
            }
        });
        ushort[] sessions = [rack.Start(0, new string('x', ArgumentBytes)), rack.Start(1)];
        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
        }

        resources.AreBack();
    }
}
