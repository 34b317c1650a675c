// The one lock of a machine (as in seL4's SMP kernel, "The CLH big lock"): held by a CPU while it runs kernel code, released in user mode
// and while it halts. Kernel code between two blocking points is therefore atomic.
//
// It is not fair, on purpose: where the host has fewer cores than the machine has CPUs, the CPU whose turn it would be may not be running,
// and everybody would wait for the host's scheduler at each entry. For the same reason a CPU that has waited in vain for a while halts
// until the holder interrupts it, instead of spending the host's core that the holder needs. A waiting CPU lets in what needs no lock:
// flush requests, the timer and wake-ups (TrapEntry knows); devices' interrupts stay pending.

using System.Runtime.CompilerServices;
using System.Threading;

namespace Lego.Kernel;

/// <summary>Serialises the CPUs of one machine in kernel code.</summary>
public static unsafe class KernelLock
{
    /// <summary>Looks at the lock before a CPU halts: about as long as kernel code usually holds it.</summary>
    private const int Patience = 512;

    private static uint s_held;
    private static uint s_halted;

    /// <summary>Set once a second CPU runs; with one CPU the lock costs a load.</summary>
    internal static bool IsNeeded;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Acquire()
    {
        if (IsNeeded && Interlocked.Exchange(ref s_held, 1) != 0)
        {
            WaitFor();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Release()
    {
        if (IsNeeded)
        {
            // A full barrier: whoever halts says so before it looks at the lock a last time.
            Interlocked.Exchange(ref s_held, 0);
            if (Volatile.Read(ref s_halted) != 0)
            {
                Processors.WakeOneThatWaitsForLock();
            }
        }
    }

    /// <summary>
    /// A polling loop's pause: other CPUs may have the lock for a moment. With one CPU nothing happens, because PAUSE costs 0.4 us under
    /// emulation.
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

    private static void WaitFor()
    {
        CpuLocal* cpu = Cpu.Local;
        while (true)
        {
            for (int look = 0; look < Patience; look++)
            {
                if (TryTake())
                {
                    return;
                }

                // Interrupts are off here: a CPU that waits for this one's TLB is answered from the loop.
                Processors.FlushWhenWanted();
                Cpu.Pause();
            }

            Volatile.Write(ref cpu->LockWakeSent, 0);
            Volatile.Write(ref cpu->WaitsForLock, 1);
            Interlocked.Add(ref s_halted, 1);
            bool taken = TryTake();
            if (!taken)
            {
                LocalApic.HoldDevices();
                Cpu.HaltWithInterrupts();
                LocalApic.AcceptDevices();
            }

            Interlocked.Add(ref s_halted, uint.MaxValue);
            Volatile.Write(ref cpu->WaitsForLock, 0);
            if (taken)
            {
                return;
            }
        }
    }

    private static bool TryTake() => Volatile.Read(ref s_held) == 0 && Interlocked.Exchange(ref s_held, 1) == 0;
}
