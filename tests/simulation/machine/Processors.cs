// Simulation stand-in for kernel/machine: how many CPUs a machine has.

namespace Lego.Kernel;

/// <summary>Each simulated machine has one CPU.</summary>
public static class Processors
{
    public static int Count => 1;

    public static ulong FlushInterrupts(int index) => 0;

    public static void InterruptAll(ulong root)
    {
    }
}
