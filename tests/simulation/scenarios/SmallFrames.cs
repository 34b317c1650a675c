// A network whose frames are smaller than a page, which loses, doubles and reorders them: every page that is written back is a request in
// fragments. Late fragments of requests that are over must not keep the buffers that new ones need.

namespace Lego.Simulation;

/// <summary>One program writes more memory than the ExCache holds, again and again.</summary>
internal sealed class SmallFrames : Scenario
{
    private const ulong PageBytes = 4096;
    private const ulong Pages = 96;
    private const int Rounds = 6;

    internal override string Name => "small-frames";

    internal override RackOptions Options(Choices choices) =>
        new() { Network = NetworkKind.SmallFrames, BootLine = "excache=128K ways=4" };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            ulong memory = program.Map(0, Pages * PageBytes, 3, 0x22);
            for (int round = 0; round < Rounds; round++)
            {
                for (ulong page = 0; page < Pages; page++)
                {
                    ulong address = memory + (page * PageBytes);
                    Check.Equal(round == 0 ? (byte)0 : Value(page, round - 1), program.Load(address), "memory");
                    program.Store(address, Value(page, round));
                }
            }
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(0)), "wait status");
        resources.AreBack();
    }

    private static byte Value(ulong page, int round) => (byte)(1 + page + ((ulong)round * Pages));
}
