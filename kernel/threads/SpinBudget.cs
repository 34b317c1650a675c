// How long a wait polls before it gives the CPU up. Polling is the fastest way to notice an answer that comes soon, and wasted for one that
// does not come soon. The budget follows what halts turn out to be (as KVM's halt polling does): after a short one it doubles, because a
// little more patience would have spared the two thread wake-ups on the host that a halt costs; after a long one it falls back.
//
// Patience also keeps two machines that talk to each other on different cores of the host: if both halt after every message, the host sees
// two light threads and runs them in turn on one core, 100 us a message for as long as it lasts. Where there is but one core, patience only
// keeps the peer from running; polling that fails at full budget time and again is given up for a while.
// Called with the kernel lock held; one budget per machine. Measured with two machines on two cores under loads from 3 to 13: with a fixed
// 60 to 250 us about every third phase was stuck at 100 to 300 us a message; with this one one phase in nine was, at 40 us, the others took
// 4.

using System;

namespace Lego.Kernel;

/// <summary>Time to poll, by what the last halts were like.</summary>
public static class SpinBudget
{
    private const ulong DefaultMicroseconds = 60;
    private const ulong NsPerMicrosecond = 1000;
    internal const ulong DefaultMostNs = 1_000_000;
    private const ulong ShortHaltNs = 300_000;
    /// <summary>Short halts in a row at full budget that make polling hopeless, and for how many halts it stays so.</summary>
    private const uint HopelessAfter = 256;
    private const uint HopelessHalts = 16384;

    /// <summary>
    /// Caps the budget; boot time. For links whose frames other threads of the host carry, the emulator's network threads: polling machines
    /// keep those from running, so that more patience makes a busy host slower (measured: 155 us a page at 100 us, 600 us at 1 ms).
    /// </summary>
    public static void LimitTo(ulong mostNs) => MachineThreads.MostSpinNs = mostNs;

    /// <summary>Budget of the wait that begins now.</summary>
    internal static ulong Ns => MachineThreads.SpinNs;

    /// <summary>Reads spin_us from the boot line; 0 = never poll.</summary>
    internal static void Initialize()
    {
        MachineThreads.LeastSpinNs = BootArguments.GetNumber("spin_us"u8, DefaultMicroseconds) * NsPerMicrosecond;
        MachineThreads.SpinNs = MachineThreads.LeastSpinNs;
    }

    /// <summary>What was waited for came while polling.</summary>
    internal static void Succeeded() => MachineThreads.SpinFailuresAtMost = 0;

    /// <summary>Polling ended with nothing, and the halt after it took so long.</summary>
    internal static void Halted(ulong haltNs)
    {
        if (MachineThreads.HopelessSpins != 0)
        {
            MachineThreads.HopelessSpins--;
            return;
        }

        if (haltNs >= ShortHaltNs)
        {
            MachineThreads.SpinFailuresAtMost = 0;
            MachineThreads.SpinNs = MachineThreads.LeastSpinNs;
            return;
        }

        MachineThreads.SpinNs = Math.Min(2 * Ns, MachineThreads.MostSpinNs);
        if (Ns == MachineThreads.MostSpinNs && ++MachineThreads.SpinFailuresAtMost == HopelessAfter)
        {
            MachineThreads.SpinFailuresAtMost = 0;
            MachineThreads.HopelessSpins = HopelessHalts;
            MachineThreads.SpinNs = MachineThreads.LeastSpinNs / 8;
        }
    }
}
