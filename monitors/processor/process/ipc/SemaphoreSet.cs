// A set of semaphores of System V (semop(2)): values, who changed each last, who waits, and what is to be undone when a process ends.
//
// What holds, whenever the kernel lock is let go:
// * Nobody waits who could go on: after each change all who wait are tried again, the oldest first, until none can (Serve).
// * A waiter stands on its own kernel stack and in the list until it is served, the set is removed (EIDRM), or it gives up and takes itself
//   out.
// * A value is never below 0 or above MaxValue; operations of one call happen together or not at all.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct sembuf.</summary>
public struct SemaphoreOperation
{
    public const ushort NoWait = 0x800;
    public const ushort Undo = 0x1000;

    public ushort Number;
    public short Change;
    public ushort Flags;
}

/// <summary>One semaphore.</summary>
public struct Semaphore
{
    public int Value;
    /// <summary>Process of the last operation or SETVAL (GETPID).</summary>
    public uint LastProcess;
}

/// <summary>What a process gives back when it ends.</summary>
public unsafe struct SemaphoreUndo
{
    public SemaphoreUndo* Next;
    public Process* Process;
    public ushort Number;
    public short Adjustment;
}

/// <summary>A thread in semop.</summary>
public unsafe struct SemaphoreWaiter
{
    public SemaphoreWaiter* Next;
    public Process* Process;
    public SemaphoreOperation* Operations;
    public int Count;
    /// <summary>The operation that cannot be done.</summary>
    public SemaphoreOperation Blocking;
    public bool IsDone;
    public Errno Result;
    public WaitQueue Wakeup;
}

/// <summary>A set; its IpcObject comes first.</summary>
public unsafe struct SemaphoreSet
{
    public const int MaxValue = 32767;

    public IpcObject Head;
    public int Count;
    /// <summary>A frame.</summary>
    public Semaphore* Semaphores;
    public ulong OperationTimeNs;
    public SemaphoreWaiter* FirstWaiter;
    public SemaphoreUndo* FirstUndo;

    /// <summary>
    /// Does all operations of a call, or none: EAGAIN (<paramref name="blocking"/> is in the way), ERANGE, ENOMEM (no memory for what is to
    /// be undone, or too much of it already).
    /// </summary>
    public Errno Try(Process* process, SemaphoreOperation* operations, int count, Slab<SemaphoreUndo> undos,
        out SemaphoreOperation blocking)
    {
        blocking = default;
        int done = 0;
        Errno error = Errno.None;
        while (done < count && error == Errno.None)
        {
            SemaphoreOperation operation = operations[done];
            int value = Semaphores[operation.Number].Value;
            bool waits = operation.Change == 0 ? value != 0 : value + operation.Change < 0;
            error = waits ? Errno.EAGAIN
                : value + operation.Change > MaxValue ? Errno.ERANGE
                : (operation.Flags & SemaphoreOperation.Undo) != 0 ? Note(process, operation.Number, -operation.Change, undos)
                : Errno.None;
            if (error != Errno.None)
            {
                blocking = operation;
                break;
            }

            Semaphores[operation.Number].Value += operation.Change;
            done++;
        }

        if (error != Errno.None)
        {
            while (done > 0)
            {
                done--;
                Semaphores[operations[done].Number].Value -= operations[done].Change;
                if ((operations[done].Flags & SemaphoreOperation.Undo) != 0)
                {
                    // The record is there.
                    Note(process, operations[done].Number, operations[done].Change, undos);
                }
            }

            return error;
        }

        for (int index = 0; index < count; index++)
        {
            Semaphores[operations[index].Number].LastProcess = process->Id;
        }

        OperationTimeNs = Clock.UnixTimeNs();
        return Errno.None;
    }

    /// <summary>Something has changed: who can go on, does.</summary>
    public void Serve(Slab<SemaphoreUndo> undos)
    {
        for (SemaphoreWaiter* waiter = FirstWaiter; waiter != null;)
        {
            SemaphoreWaiter* next = waiter->Next;
            Errno error = Try(waiter->Process, waiter->Operations, waiter->Count, undos, out SemaphoreOperation blocking);
            if (error == Errno.EAGAIN && (blocking.Flags & SemaphoreOperation.NoWait) == 0)
            {
                waiter->Blocking = blocking;
                waiter = next;
                continue;
            }

            Finish(waiter, error);
            // What it did may let an older one go on.
            waiter = error == Errno.None ? FirstWaiter : next;
        }
    }

    /// <summary>Takes a waiter out of the list and wakes it with a result.</summary>
    public void Finish(SemaphoreWaiter* waiter, Errno result)
    {
        Leave(waiter);
        waiter->IsDone = true;
        waiter->Result = result;
        waiter->Wakeup.WakeAll();
    }

    public void Join(SemaphoreWaiter* waiter)
    {
        fixed (SemaphoreWaiter** first = &FirstWaiter)
        {
            SemaphoreWaiter** end = first;
            while (*end != null)
            {
                end = &(*end)->Next;
            }

            *end = waiter;
        }
    }

    public void Leave(SemaphoreWaiter* waiter)
    {
        fixed (SemaphoreWaiter** first = &FirstWaiter)
        {
            SemaphoreWaiter** link = first;
            while (*link != waiter)
            {
                link = &(*link)->Next;
            }

            *link = waiter->Next;
        }
    }

    /// <summary>Waiters for a semaphore to grow, or to become zero (GETNCNT, GETZCNT).</summary>
    public readonly int Waiting(int number, bool forZero)
    {
        int count = 0;
        for (SemaphoreWaiter* waiter = FirstWaiter; waiter != null; waiter = waiter->Next)
        {
            count += waiter->Blocking.Number == number && (waiter->Blocking.Change == 0) == forZero ? 1 : 0;
        }

        return count;
    }

    /// <summary>A value was set: nothing before it is undone. A negative number is all of them.</summary>
    public readonly void ForgetUndos(int number)
    {
        for (SemaphoreUndo* undo = FirstUndo; undo != null; undo = undo->Next)
        {
            undo->Adjustment = number < 0 || undo->Number == number ? (short)0 : undo->Adjustment;
        }
    }

    /// <summary>A process ends: undoes what it has not (semop(2), SEM_UNDO). A value that would leave its bounds stops at them.</summary>
    public void Undo(Process* process, Slab<SemaphoreUndo> undos)
    {
        bool any = false;
        fixed (SemaphoreUndo** first = &FirstUndo)
        {
            for (SemaphoreUndo** link = first; *link != null;)
            {
                SemaphoreUndo* undo = *link;
                if (undo->Process != process)
                {
                    link = &undo->Next;
                    continue;
                }

                ref Semaphore semaphore = ref Semaphores[undo->Number];
                if (undo->Adjustment != 0)
                {
                    semaphore.Value = System.Math.Clamp(semaphore.Value + undo->Adjustment, 0, MaxValue);
                    semaphore.LastProcess = process->Id;
                    any = true;
                }

                *link = undo->Next;
                undos.Free(undo);
            }
        }

        if (any)
        {
            OperationTimeNs = Clock.UnixTimeNs();
            Serve(undos);
        }
    }

    /// <summary>ENOMEM, ERANGE.</summary>
    private Errno Note(Process* process, ushort number, int adjustment, Slab<SemaphoreUndo> undos)
    {
        SemaphoreUndo* undo = FirstUndo;
        while (undo != null && (undo->Process != process || undo->Number != number))
        {
            undo = undo->Next;
        }

        if (undo == null)
        {
            undo = undos.Allocate();
            if (undo == null)
            {
                return Errno.ENOMEM;
            }

            undo->Process = process;
            undo->Number = number;
            undo->Next = FirstUndo;
            FirstUndo = undo;
        }

        int sum = undo->Adjustment + adjustment;
        if (sum is < -MaxValue - 1 or > MaxValue)
        {
            return Errno.ERANGE;
        }

        undo->Adjustment = (short)sum;
        return Errno.None;
    }
}
