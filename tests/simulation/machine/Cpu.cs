// Simulation stand-in for kernel/machine: the one CPU of a simulated machine.

namespace Lego.Kernel;

public static class Cpu
{
    /// <summary>Of some CPU, the same on every host.</summary>
    public static uint Features => 0xBFEBFBFF;

    public static int Index => 0;

    public static void Pause()
    {
    }

    /// <summary>The time stamp counter; one tick a nanosecond.</summary>
    public static ulong Timestamp() => Clock.NowNs();
}
