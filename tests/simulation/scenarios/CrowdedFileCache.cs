// Many files of a page, one of many pages, and few frames at the memory component: every write makes room by giving other pages up, its own
// file's as well. Each page holds what was written last.
//
// Who needs another component makes room for many pages at once, so the wide file's pages, which are written without that, are what uses
// them up again: then a write finds no frame free.

using System;
using System.Linq;
using CsCheck;

namespace Lego.Simulation;

/// <summary>Random overwrites of more pages than the file cache has.</summary>
internal sealed class CrowdedFileCache : Scenario
{
    private const int SmallFiles = 6;
    private const int WidePages = 150;
    private const int Pages = SmallFiles + WidePages;
    /// <summary>How often a small file is chosen.</summary>
    private const int SmallOneIn = 4;
    private const int Steps = 200;
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
            byte[] values = new byte[Pages];
            const int Flags = UserProgram.ReadWrite | UserProgram.Create;
            long[] files = [.. Enumerable.Range(0, SmallFiles + 1).Select(number => program.Open($"/tmp/f{number}", Flags))];
            long FileOf(int page) => files[Math.Min(page, SmallFiles)];
            ulong OffsetOf(int page) => (ulong)Math.Max(page - SmallFiles, 0) * PageBytes;
            void CheckContents(int page)
            {
                program.ReadAt(FileOf(page), OffsetOf(page), PageBytes, out byte[] bytes);
                Check.That(bytes.All(value => value == values[page]), $"contents of page {page}");
            }

            // A read that misses makes room for many pages, too.
            bool reads = choices.Next(2) == 0;
            for (int step = 0; step < Steps; step++)
            {
                int page = choices.Next(SmallOneIn) == 0 ? choices.Next(SmallFiles) : SmallFiles + choices.Next(WidePages);
                switch (choices.Next(6))
                {
                    case 0 when reads:
                        // A page that has been read or stored is one that can be given up.
                        CheckContents(page);
                        break;
                    case 0:
                    case 1:
                        Check.Equal(0, program.Synchronize(FileOf(page)), "fsync");
                        break;
                    default:
                        values[page] = (byte)(step + 1);
                        byte[] bytes = [.. Enumerable.Repeat(values[page], PageBytes)];
                        Check.Equal(PageBytes, program.WriteAt(FileOf(page), OffsetOf(page), bytes), "pwrite");
                        break;
                }
            }

            for (int page = 0; page < Pages; page++)
            {
                CheckContents(page);
            }

            for (int number = 0; number <= SmallFiles; number++)
            {
                program.Close(files[number]);
                program.Unlink($"/tmp/f{number}");
            }
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(0)), "wait status");
        resources.AreBack();
    }
}
