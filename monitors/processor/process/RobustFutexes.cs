// Robust futexes (get_robust_list(2), Linux's Documentation/locking/robust-futex-ABI): a thread keeps a list of the locks that it holds in
// its own memory, and when it ends, or executes a program, each of them that is still its own is marked OWNER_DIED and somebody who waits
// is woken. The list is the program's: nothing that it says is believed, and it may be a ring. BLOCKS.

using System.Runtime.InteropServices;
using System.Threading;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What becomes of a thread's locks when it ends.</summary>
public static unsafe class RobustFutexes
{
    /// <summary>Most locks that are looked at (ROBUST_LIST_LIMIT).</summary>
    private const int MostEntries = 2048;

    /// <summary>In a link of the list: the lock has an owner that the kernel hands it over to (FutexTable.Locks.cs).</summary>
    private const ulong OwnedBit = 1;

    /// <summary>struct robust_list_head.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Head
    {
        internal ulong First;
        /// <summary>From an entry to its word.</summary>
        internal long WordOffset;
        /// <summary>The lock that the thread was about to take or had just given up.</summary>
        internal ulong Pending;
    }

    /// <summary>Gives up the locks on a thread's list.</summary>
    public static void Release(UserThread* thread)
    {
        ulong list = thread->RobustList;
        thread->RobustList = 0;
        Process* process = thread->Process;
        if (list == 0 || process->Space == null || new UserPointer<Head>(list).Read(process, out Head head) != Errno.None)
        {
            return;
        }

        ulong pending = head.Pending & ~OwnedBit;
        ulong link = head.First;
        for (int count = 0; (link & ~OwnedBit) != list && count < MostEntries; count++)
        {
            ulong entry = link & ~OwnedBit;
            // The next one first: once the lock is free, others may unmap it.
            bool hasNext = new UserPointer<ulong>(entry).Read(process, out ulong next) == Errno.None;
            if (entry != pending)
            {
                GiveUp(thread, entry + (ulong)head.WordOffset, (link & OwnedBit) != 0, isPending: false);
            }

            if (!hasNext)
            {
                break;
            }

            link = next;
        }

        if (pending != 0)
        {
            GiveUp(thread, pending + (ulong)head.WordOffset, (head.Pending & OwnedBit) != 0, isPending: true);
        }
    }

    private static void GiveUp(UserThread* thread, ulong address, bool isOwned, bool isPending)
    {
        Process* process = thread->Process;
        if (address % sizeof(uint) != 0 || LineFaults.Pin(process, address, MissAccess.Write, out byte* line) != Errno.None)
        {
            return;
        }

        FutexTable futexes = process->Table.Futexes;
        ref uint word = ref *(uint*)(line + (address & (PageOperations.PageSize - 1)));
        uint before = Volatile.Read(ref word);
        if (isPending && !isOwned && (before & FutexTable.OwnerMask) == 0)
        {
            // It had given the lock up and not yet woken anybody.
            futexes.Wake(FutexKey.Of(process, address, isPrivate: false), 1, uint.MaxValue);
            return;
        }

        while ((before & FutexTable.OwnerMask) == thread->Id)
        {
            uint wanted = (before & FutexTable.WaitersBit) | FutexTable.OwnerDiedBit;
            uint found = Interlocked.CompareExchange(ref word, wanted, before);
            if (found != before)
            {
                before = found;
                continue;
            }

            if (!isOwned && (before & FutexTable.WaitersBit) != 0)
            {
                futexes.Wake(FutexKey.Of(process, address, isPrivate: false), 1, uint.MaxValue);
            }

            return;
        }
    }
}
