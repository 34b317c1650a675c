// Host stand-in for kernel/machine: how many CPUs there are.

namespace Lego.Kernel;

/// <summary>One host thread plays one CPU.</summary>
public static class Processors
{
    public static int Count => 1;

    public static ulong FlushInterrupts(int index) => 0;

    public static void InterruptAll(ulong root)
    {
    }
}
