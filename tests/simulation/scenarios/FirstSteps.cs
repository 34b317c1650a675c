// One program writes and reads a file, and some memory: the least that a rack must do.

namespace Lego.Simulation;

/// <summary>A file, some memory, one program.</summary>
/// <param name="name">The scenario's.</param>
/// <param name="more">Processor and memory components besides the first ones.</param>
internal sealed class FirstSteps(string name, int more) : Scenario
{
    private const ulong PageBytes = 4096;
    private const ulong Pages = 96;

    internal override string Name => name;

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with { MoreProcessors = more, MoreMemories = more };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        byte seed = (byte)choices.Next(200);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            long file = program.Open("/tmp/f", UserProgram.ReadWrite | UserProgram.Create);
            Check.That(file >= 0, $"open: {file}");
            byte[] text = [seed, 1, 2, 3, 4];
            Check.Equal(5, program.WriteAt(file, 4094, text), "pwrite");
            ulong memory = program.Map(0, Pages * PageBytes, 3, 0x22);
            for (ulong page = 0; page < Pages; page++)
            {
                program.Store(memory + (page * PageBytes), (byte)(page + seed));
            }

            for (ulong page = 0; page < Pages; page++)
            {
                Check.Equal((byte)(page + seed), program.Load(memory + (page * PageBytes)), "memory");
            }

            Check.Equal(5, program.ReadAt(file, 4094, 100, out byte[] back), "pread");
            Check.SameBytes(text, back, "contents");
            Check.Equal(0, program.Close(file), "close");
            Check.Equal(0, program.Unlink("/tmp/f"), "unlink");
            program.Exit(3);
        });
        ushort session = rack.Start(0);
        Check.Equal(3u << 8, rack.AwaitExit(session), "wait status");
        resources.AreBack();
    }
}
