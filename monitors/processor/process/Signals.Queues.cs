// Signals that are pending: a queue of each thread and one of each process. A standard signal is pending once, a real-time one as often as
// it was sent, as long as RLIMIT_SIGPENDING has room for its details. Nothing here blocks.

using Lego.Kernel;

namespace Lego.Processor;

public static unsafe partial class Signals
{
    /// <summary>RLIMIT_SIGPENDING.</summary>
    private const int PendingLimit = 11;

    /// <summary>
    /// Takes the next signal outside a mask out of the thread's and its process's queues; synchronous ones first, then lowest number.
    /// </summary>
    public static bool TryDequeue(UserThread* thread, ulong blocked, out SignalInfo info)
    {
        bool taken = TryTake(thread->Process->Table, ref thread->Pending, ~blocked, out info)
            || TryTake(thread->Process->Table, ref thread->Process->Pending, ~blocked, out info);
        if (taken && (info.Number == Signal.Alarm || info.Code == SignalCode.Timer))
        {
            thread->Process->Table.Timers.SignalTaken(thread->Process, ref info);
        }

        return taken;
    }

    /// <summary>Forgets all pending signals of a queue.</summary>
    public static void Clear(Processes table, ref SignalQueue queue) => Remove(table, ref queue, ulong.MaxValue);

    /// <summary>Forgets pending signals of a mask.</summary>
    public static void Remove(Processes table, ref SignalQueue queue, ulong mask)
    {
        while (TryTake(table, ref queue, mask, out _))
        {
        }
    }

    /// <summary>Forgets pending signals of a mask, of a process and all its threads.</summary>
    public static void Forget(Process* process, ulong mask)
    {
        Remove(process->Table, ref process->Pending, mask);
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            Remove(process->Table, ref thread->Pending, mask);
        }
    }

    private static Errno Enqueue(Process* process, ref SignalQueue queue, in SignalInfo info)
    {
        ulong bit = Signal.Bit(info.Number);
        bool isRealTime = info.Number >= Signal.FirstRealTime;
        // A timer has one signal under way at most, and its number may be in use by others.
        if ((queue.Mask & bit) != 0 && !isRealTime && info.Code != SignalCode.Timer)
        {
            return Errno.None;
        }

        bool hasRoom = (!isRealTime && info.Code >= SignalCode.User) || HasRoom(process);
        PendingSignal* item = hasRoom ? process->Table.PendingSignals.Allocate() : null;
        if (item == null)
        {
            // Like Linux at RLIMIT_SIGPENDING: a queued signal fails, any other arrives without its details.
            if (isRealTime && info.Code != SignalCode.User)
            {
                return Errno.EAGAIN;
            }

            queue.Mask |= bit;
            process->Table.Resources?.OnSignal(info.Number);
            return Errno.None;
        }

        item->Info = info;
        queue.Mask |= bit;
        queue.Count++;
        if (queue.First == null)
        {
            queue.First = item;
        }
        else
        {
            queue.Last->Next = item;
        }

        queue.Last = item;
        process->Table.Resources?.OnSignal(info.Number);
        return Errno.None;
    }

    /// <summary>RLIMIT_SIGPENDING counts what is queued for all processes of the receiver's user (getrlimit(2)).</summary>
    private static bool HasRoom(Process* process) => QueuedFor(process->Table, process->UserId) < process->Limits[2 * PendingLimit];

    /// <summary>Signals with details that wait for delivery to a user's processes.</summary>
    public static ulong QueuedFor(Processes table, uint user)
    {
        ulong queued = 0;
        for (Process* other = table.First; other != null; other = other->Next)
        {
            if (other->UserId == user)
            {
                queued += other->Pending.Count;
                for (UserThread* thread = other->FirstThread; thread != null; thread = thread->Next)
                {
                    queued += thread->Pending.Count;
                }
            }
        }

        return queued;
    }

    private static bool TryTake(Processes table, ref SignalQueue queue, ulong wanted, out SignalInfo info)
    {
        const ulong Synchronous = (1UL << (Signal.SegmentationFault - 1)) | (1UL << (Signal.BusError - 1))
            | (1UL << (Signal.IllegalInstruction - 1))
            | (1UL << (Signal.Trap - 1)) | (1UL << (Signal.FloatingPoint - 1)) | (1UL << (Signal.BadSystemCall - 1));
        info = default;
        ulong candidates = queue.Mask & wanted;
        if (candidates == 0)
        {
            return false;
        }

        if ((candidates & Synchronous) != 0)
        {
            candidates &= Synchronous;
        }

        int signal = System.Numerics.BitOperations.TrailingZeroCount(candidates) + 1;
        info = new SignalInfo { Number = signal, Code = SignalCode.User };
        bool taken = false;
        bool more = false;
        PendingSignal* previous = null;
        PendingSignal* next;
        for (PendingSignal* item = queue.First; item != null && !more; item = next)
        {
            next = item->Next;
            if (item->Info.Number != signal)
            {
                previous = item;
            }
            else if (taken)
            {
                more = true;
            }
            else
            {
                info = item->Info;
                taken = true;
                if (previous == null)
                {
                    queue.First = next;
                }
                else
                {
                    previous->Next = next;
                }

                if (queue.Last == item)
                {
                    queue.Last = previous;
                }

                queue.Count--;
                table.PendingSignals.Free(item);
            }
        }

        if (!more)
        {
            queue.Mask &= ~Signal.Bit(signal);
        }

        return true;
    }
}
