// A program opens and closes files while another opens the same descriptors through /proc/PID/fd, with truncation: whatever the order,
// nothing of the first one's file may be used after it is gone.

using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>open("/proc/PID/fd/N") against close.</summary>
internal sealed class StrangersDescriptors : Scenario
{
    private const int Rounds = 12;

    internal override string Name => "strangers-descriptors";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        uint owner = 0;
        rack.Simulation.Code.SetProgram(0, program =>
        {
            owner = program.ProcessId;
            for (int round = 0; round < Rounds; round++)
            {
                long file = program.Open($"/tmp/f{round % 2}", UserProgram.ReadWrite | UserProgram.Create);
                Check.That(file >= 0, $"open: {file}");
                program.Write(file, "abc");
                program.Close(file);
                if (round % 3 == 2)
                {
                    program.Unlink($"/tmp/f{round % 2}");
                }
            }
        });
        rack.Simulation.Code.SetProgram(1, program =>
        {
            for (int round = 0; round < Rounds; round++)
            {
                long file = program.Open($"/proc/{owner}/fd/{3 + (round % 2)}", UserProgram.WriteOnly | UserProgram.Truncates);
                if (file >= 0)
                {
                    Check.Equal(2, program.Write(file, "xy"), "write to a stranger's file");
                    program.Close(file);
                }
            }
        });
        rack.Simulation.Code.SetProgram(2, program =>
        {
            program.Unlink("/tmp/f0");
            program.Unlink("/tmp/f1");
        });
        ushort[] sessions = [rack.Start(0), rack.Start(1)];
        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
        }

        rack.AwaitExit(rack.Start(2));
        resources.AreBack();
    }
}
