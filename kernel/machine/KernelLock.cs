// The one lock of a machine (as in seL4's SMP kernel, "The CLH big lock"): held by a CPU while it runs kernel code, released in user mode
// and while it halts. Kernel code between two blocking points is therefore atomic. A ticket lock: fair, two words.

using System.Runtime.CompilerServices;
using System.Threading;

namespace Lego.Kernel;

/// <summary>Serialises the CPUs of one machine in kernel code.</summary>
public static class KernelLock
{
    private static uint s_next;
    private static uint s_serving;

    /// <summary>Set once a second CPU runs; with one CPU the lock costs a load.</summary>
    internal static bool IsNeeded;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Acquire()
    {
        if (IsNeeded)
        {
            TakeTurn();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Release()
    {
        if (IsNeeded)
        {
            Volatile.Write(ref s_serving, s_serving + 1);
        }
    }

    private static void TakeTurn()
    {
        uint ticket = Interlocked.Add(ref s_next, 1) - 1;
        while (Volatile.Read(ref s_serving) != ticket)
        {
            // Interrupts are off here: a CPU that waits for this one's TLB is answered from the loop.
            Processors.FlushWhenWanted();
            Cpu.Pause();
        }
    }

    /// <summary>
    /// A polling loop's pause: other CPUs may have the lock for a moment. With one CPU nothing happens, because PAUSE costs 0.4 us under emulation.
    /// </summary>
    public static void LetOthers()
    {
        if (IsNeeded)
        {
            Release();
            Cpu.Pause();
            Acquire();
        }
    }
}
