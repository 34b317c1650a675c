// Simulation stand-in for kernel/machine: log lines go into the trace.

using System;
using System.Text;

namespace Lego.Kernel;

public static class LogOutput
{
    public static void Write(ReadOnlySpan<byte> text)
    {
        Simulation.SimMachine? machine = Simulation.Simulation.MachineOrNone;
        if (machine is { Simulation.Trace.IsOn: true })
        {
            machine.Simulation.Trace.Say(machine.Simulation, machine, "log: " + Encoding.ASCII.GetString(text).TrimEnd('\n'));
        }
    }
}
