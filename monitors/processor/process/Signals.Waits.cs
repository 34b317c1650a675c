// Waiting for something in a way that a signal interrupts (signal(7), "Interruption of system calls"), and what a thread has to act on
// before it continues. The waits block.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

public static unsafe partial class Signals
{
    /// <summary>
    /// Waits on a queue; EINTR at once when a signal that the current thread must act on is pending, or as soon as one comes. In a kernel
    /// thread it is a plain wait. A wake-up says nothing about the condition: check it again, also after EINTR where work may be lost.
    /// </summary>
    [Blocks]
    public static Errno Wait(ref WaitQueue queue) => WaitUntil(ref queue, ulong.MaxValue);

    /// <summary>
    /// Waits on a queue as a call that cannot be interrupted does: only the coming end of its process ends the wait (EINTR). Other signals
    /// are a wake-up like any other.
    /// </summary>
    [Blocks]
    public static Errno WaitKillable(ref WaitQueue queue)
    {
        UserThread* thread = UserThread.Current;
        if (IsDying(thread))
        {
            return Errno.EINTR;
        }

        Wait(thread, ref queue, ulong.MaxValue);
        return IsDying(thread) ? Errno.EINTR : Errno.None;
    }

    /// <summary>As <see cref="Wait"/> with a deadline in Clock.NowNs time: ETIMEDOUT when it passes.</summary>
    public static Errno WaitUntil(ref WaitQueue queue, ulong deadlineNs)
    {
        UserThread* thread = UserThread.Current;
        if (thread == null)
        {
            return queue.WaitUntil(deadlineNs) ? Errno.None : Errno.ETIMEDOUT;
        }

        if (IsPending(thread))
        {
            return Errno.EINTR;
        }

        bool woken = Wait(thread, ref queue, deadlineNs);
        if (IsPending(thread))
        {
            return Errno.EINTR;
        }

        return woken ? Errno.None : Errno.ETIMEDOUT;
    }

    /// <summary>
    /// True when the thread has something to act on before it continues: a signal, pending and not blocked; a stop; its end.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsPending(UserThread* thread) =>
        thread->Doomed | thread->JoinsStop || ((thread->Pending.Mask | thread->Process->Pending.Mask) & ~thread->BlockedSignals) != 0;

    /// <summary>
    /// True when the process will end at the thread's next return to user mode: it is doomed, or a signal is pending whose default action
    /// is the end. Deaths that leave a core dump are not among them, as in Linux (complete_signal).
    /// </summary>
    public static bool IsDying(UserThread* thread)
    {
        ulong pending = (thread->Pending.Mask | thread->Process->Pending.Mask) & ~thread->BlockedSignals
            & ~(Stops | IgnoredByDefault | DumpsCore);
        if (thread->Doomed || (pending & Signal.Bit(Signal.Kill)) != 0)
        {
            return true;
        }

        while (pending != 0)
        {
            int signal = System.Numerics.BitOperations.TrailingZeroCount(pending) + 1;
            if ((*thread->Process->Actions)[signal].Handler == SignalAction.Default)
            {
                return true;
            }

            pending &= pending - 1;
        }

        return false;
    }

    private static bool Wait(UserThread* thread, ref WaitQueue queue, ulong deadlineNs)
    {
        thread->WaitsOn = (WaitQueue*)Unsafe.AsPointer(ref queue);
        thread->Process->VoluntarySwitches++;
        bool woken = queue.WaitUntil(deadlineNs);
        thread->WaitsOn = null;
        return woken;
    }
}
