// Simulation stand-in for kernel/machine: the boot line, which all machines of a run share.

using System;

namespace Lego.Kernel;

public static class BootLine
{
    public static ReadOnlySpan<byte> Text =>
        Simulation.Simulation.MachineOrNone is { } machine ? machine.Simulation.BootLine : default(ReadOnlySpan<byte>);
}
