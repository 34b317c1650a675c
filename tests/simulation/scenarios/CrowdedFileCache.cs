// Many files and few frames at the memory component: every write makes room by giving other pages up, of its own file as well. Each file
// holds what was written last.

using System.Linq;
using CsCheck;

namespace Lego.Simulation;

/// <summary>Random overwrites of more pages than the file cache has.</summary>
internal sealed class CrowdedFileCache : Scenario
{
    private const int Files = 60;
    private const int Steps = 150;
    private const int PageBytes = 4096;
    private const int MemoryMachine = 1;
    /// <summary>What the memory component is left, its reserve included: enough for the program, not for its files.</summary>
    private const ulong FreePages = 112;

    internal override string Name => "crowded-file-cache";

    internal override RackOptions Options(Choices choices) => new() { BootLine = "excache=128K ways=4" };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        rack.TakeFrames(MemoryMachine, FreePages);
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            byte[] values = new byte[Files];
            const int Flags = UserProgram.ReadWrite | UserProgram.Create;
            long[] files = [.. Enumerable.Range(0, Files).Select(number => program.Open($"/tmp/f{number}", Flags))];
            void CheckContents(int number)
            {
                program.ReadAt(files[number], 0, PageBytes, out byte[] bytes);
                Check.That(bytes.All(value => value == values[number]), $"contents of file {number}");
            }

            for (int step = 0; step < Steps; step++)
            {
                int number = choices.Next(Files);
                switch (choices.Next(4))
                {
                    case 0:
                        // A page that has been read or stored is one that can be given up.
                        CheckContents(number);
                        break;
                    case 1:
                        Check.Equal(0, program.Synchronize(files[number]), "fsync");
                        break;
                    default:
                        values[number] = (byte)(step + 1);
                        byte[] page = [.. Enumerable.Repeat(values[number], PageBytes)];
                        Check.Equal(PageBytes, program.WriteAt(files[number], 0, page), "pwrite");
                        break;
                }
            }

            for (int number = 0; number < Files; number++)
            {
                CheckContents(number);
                program.Close(files[number]);
                program.Unlink($"/tmp/f{number}");
            }
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(0)), "wait status");
        resources.AreBack();
    }
}
