// futex(2): arguments and operations; the waiting is in process/FutexTable.cs, locks with owners in process/FutexTable.Locks.cs. BLOCKS.

using System;
using System.Runtime.InteropServices;
using System.Threading;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The system call of locks.</summary>
public static unsafe class FutexCalls
{
    private const uint PrivateFlag = 0x80;
    private const uint RealTimeFlag = 0x100;
    private const uint AllBits = uint.MaxValue;
    private const ulong WordBytes = sizeof(uint);
    private const ulong NoWait = 0;

    private enum Command : uint
    {
        Wait = 0,
        Wake = 1,
        Requeue = 3,
        CompareRequeue = 4,
        WakeOperation = 5,
        LockOwned = 6,
        UnlockOwned = 7,
        TryLockOwned = 8,
        WaitBitSet = 9,
        WakeBitSet = 10,
        WaitForLock = 11,
        MoveToLock = 12,
        LockOwnedByClock = 13,
    }

    /// <summary>struct futex_waitv.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct WaitEntry
    {
        /// <summary>FUTEX2_SIZE_U32, the only size that Linux has.</summary>
        internal const uint WordSize = 2;

        internal ulong Value;
        internal ulong Address;
        internal uint Flags;
        internal uint Reserved;
    }

    [SystemCall(202, "futex", Support.Partial, "locks with owners (FUTEX_LOCK_PI) go round in order, whatever the priorities")]
    public static long Futex(ref SystemCall call)
    {
        uint operation = (uint)call.A1;
        Command command = (Command)(operation & ~(PrivateFlag | RealTimeFlag));
        bool isPrivate = (operation & PrivateFlag) != 0;
        bool isWait = command is Command.Wait or Command.WaitBitSet or Command.LockOwned or Command.LockOwnedByClock or Command.WaitForLock;
        if ((operation & RealTimeFlag) != 0 && command is not (Command.WaitBitSet or Command.LockOwnedByClock or Command.WaitForLock))
        {
            return SystemCall.Fail(Errno.ENOSYS);
        }

        ulong deadline = ulong.MaxValue;
        Errno error = isWait
            ? ReadDeadline(ref call, command, (operation & RealTimeFlag) != 0 || command == Command.LockOwned, out deadline)
            : Errno.None;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        uint bits = command is Command.WaitBitSet or Command.WakeBitSet ? (uint)call.A5 : AllBits;
        if (bits == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch (command)
        {
            case Command.Wait:
            case Command.WaitBitSet:
                return Wait(ref call, isPrivate, bits, deadline);
            case Command.Wake:
            case Command.WakeBitSet:
                error = CheckWord(ref call, call.A0, operation);
                return error != Errno.None ? SystemCall.Fail(error)
                    : call.Process->Table.Futexes.Wake(FutexKey.Of(call.Process, call.A0, isPrivate), (int)call.A2, bits);
            case Command.Requeue:
            case Command.CompareRequeue:
                return Requeue(ref call, operation, compares: command == Command.CompareRequeue);
            case Command.WakeOperation:
                return WakeAfterOperation(ref call, operation);
            case Command.LockOwned:
            case Command.LockOwnedByClock:
                return LockOwned(ref call, isPrivate, deadline);
            case Command.TryLockOwned:
                return LockOwned(ref call, isPrivate, NoWait);
            case Command.WaitForLock:
                return WaitForLock(ref call, isPrivate, deadline);
            case Command.MoveToLock:
                return MoveToLock(ref call, isPrivate);
            case Command.UnlockOwned:
                return call.A0 % WordBytes != 0
                    ? SystemCall.Fail(Errno.EINVAL)
                    : SystemCall.Result(call.Process->Table.Futexes.Unlock(call.Thread, call.A0, isPrivate));
            default:
                return SystemCall.Fail(Errno.ENOSYS);
        }
    }

    [SystemCall(449, "futex_waitv", Support.Full)]
    public static long WaitForAny(ref SystemCall call)
    {
        const uint RealTimeClock = 0;
        const uint MonotonicClock = 1;
        uint count = (uint)call.A1;
        if ((uint)call.A2 != 0 || call.A0 == 0 || count is 0 or > FutexTable.MostWords)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        ulong deadline = ulong.MaxValue;
        if (call.A3 != 0)
        {
            uint clock = (uint)call.A4;
            if (clock is not (RealTimeClock or MonotonicClock))
            {
                return SystemCall.Fail(Errno.EINVAL);
            }

            Errno bad = ReadDeadline(ref call, Command.WaitBitSet, clock == RealTimeClock, out deadline);
            if (bad != Errno.None)
            {
                return SystemCall.Fail(bad);
            }
        }

        Span<FutexWord> words = stackalloc FutexWord[(int)count];
        Errno error = ReadEntries(ref call, words);
        int index = 0;
        error = error != Errno.None ? error : call.Process->Table.Futexes.WaitForAny(call.Process, words, deadline, out index);
        return error == Errno.None ? index : SystemCall.Fail(error);
    }

    private static Errno ReadEntries(ref SystemCall call, scoped Span<FutexWord> words)
    {
        for (int index = 0; index < words.Length; index++)
        {
            ulong at = call.A0 + ((ulong)index * (ulong)sizeof(WaitEntry));
            Errno error = new UserPointer<WaitEntry>(at).Read(call.Process, out WaitEntry entry);
            if (error != Errno.None)
            {
                return error;
            }

            bool isKnown = (entry.Flags & ~PrivateFlag) == WaitEntry.WordSize && entry.Reserved == 0 && entry.Value <= uint.MaxValue;
            if (!isKnown)
            {
                return Errno.EINVAL;
            }

            words[index] = new FutexWord
            {
                Address = entry.Address,
                Expected = (uint)entry.Value,
                IsPrivate = (entry.Flags & PrivateFlag) != 0,
            };
        }

        foreach (FutexWord word in words)
        {
            if (word.Address % WordBytes != 0)
            {
                return Errno.EINVAL;
            }
        }

        return Errno.None;
    }

    private static long WaitForLock(ref SystemCall call, bool isPrivate, ulong deadline)
    {
        bool isAligned = call.A0 % WordBytes == 0 && call.A4 % WordBytes == 0;
        if (!isAligned || call.A0 == call.A4)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = call.Process->Table.Futexes.WaitForLock(call.Thread, call.A0, call.A4, isPrivate, (uint)call.A2, deadline);
        call.Thread->RestartsAlways = error == Errno.EINTR;
        return SystemCall.Result(error);
    }

    private static long MoveToLock(ref SystemCall call, bool isPrivate)
    {
        int most = (int)call.A3;
        bool isAligned = call.A0 % WordBytes == 0 && call.A4 % WordBytes == 0;
        if ((int)call.A2 != 1 || most < 0 || !isAligned || call.A0 == call.A4)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = call.Process->Table.Futexes.MoveToLock(call.Process, call.A0, call.A4, isPrivate, (uint)call.A5, most, out int moved);
        return error == Errno.None ? moved : SystemCall.Fail(error);
    }

    private static long Wait(ref SystemCall call, bool isPrivate, uint bits, ulong deadline)
    {
        if (call.A0 % WordBytes != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = isPrivate ? Errno.None : CheckWord(ref call, call.A0, operation: 0);
        error = error != Errno.None ? error
            : call.Process->Table.Futexes.Wait(call.Process, call.A0, isPrivate, (uint)call.A2, bits, deadline);
        return call.A3 == 0 ? SystemCall.Result(error) : error == Errno.None ? 0 : call.FailKeeping(error, deadline);
    }

    /// <summary>An interrupted wait for a lock starts again, whatever the handler's flags say.</summary>
    private static long LockOwned(ref SystemCall call, bool isPrivate, ulong deadline)
    {
        if (call.A0 % WordBytes != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = call.Process->Table.Futexes.Lock(call.Thread, call.A0, isPrivate, deadline);
        call.Thread->RestartsAlways = error == Errno.EINTR;
        return SystemCall.Result(error);
    }

    /// <summary>FUTEX_WAIT has a duration, FUTEX_WAIT_BITSET a point of monotonic or real time.</summary>
    private static Errno ReadDeadline(ref SystemCall call, Command command, bool isRealTime, out ulong deadline)
    {
        deadline = ulong.MaxValue;
        if (call.A3 == 0)
        {
            return Errno.None;
        }

        Errno error = new UserPointer<TimeSpecification>(call.A3).Read(call.Process, out TimeSpecification time);
        if (error != Errno.None || !time.IsValid)
        {
            return error != Errno.None ? error : Errno.EINVAL;
        }

        if (call.ResumedDeadlineNs != 0)
        {
            deadline = call.ResumedDeadlineNs;
        }
        else if (command == Command.Wait)
        {
            deadline = TimeSpecification.DeadlineAfter(time.TotalNs);
        }
        else
        {
            deadline = isRealTime ? TimeSpecification.MonotonicOf(time.TotalNs) : time.TotalNs;
        }

        return Errno.None;
    }

    /// <summary>A word that processes may share must be there; a private one is only a name.</summary>
    private static Errno CheckWord(ref SystemCall call, ulong address, uint operation)
    {
        if (address % WordBytes != 0)
        {
            return Errno.EINVAL;
        }

        if ((operation & PrivateFlag) != 0)
        {
            return address < UserMemory.Limit ? Errno.None : Errno.EFAULT;
        }

        Errno error = new UserPointer<uint>(address).Read(call.Process, out _);
        return error != Errno.None ? error : CheckShared(call.Process, address);
    }

    /// <summary>
    /// EFAULT: a word that others might share is in memory of the process alone that it cannot write to, where nothing ever changes
    /// (get_futex_key: "a RO anonymous page").
    /// </summary>
    private static Errno CheckShared(Process* process, ulong address)
    {
        bool isFixed = process->Space->TryFindRange(address, out VmaRecord range) && (range.Protection & Protection.Write) == 0
            && (range.Kind == VmaKind.File
                ? process->Table.Cache.HasOwnPage(process->Space, address)
                : range.Kind is not (VmaKind.SharedFile or VmaKind.SharedAnonymous));
        return isFixed ? Errno.EFAULT : Errno.None;
    }

    private static long Requeue(ref SystemCall call, uint operation, bool compares)
    {
        int wakes = (int)call.A2;
        int moves = (int)call.A3;
        if (wakes < 0 || moves < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = CheckWord(ref call, call.A0, operation);
        if (error == Errno.None)
        {
            error = CheckWord(ref call, call.A4, operation);
        }

        if (error == Errno.None && compares)
        {
            error = new UserPointer<uint>(call.A0).Read(call.Process, out uint value);
            error = error == Errno.None && value != (uint)call.A5 ? Errno.EAGAIN : error;
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        bool isPrivate = (operation & PrivateFlag) != 0;
        FutexTable futexes = call.Process->Table.Futexes;
        FutexKey from = FutexKey.Of(call.Process, call.A0, isPrivate);
        int woken = wakes == 0 ? 0 : futexes.Wake(in from, wakes, AllBits);
        return woken + futexes.Move(in from, FutexKey.Of(call.Process, call.A4, isPrivate), moves);
    }

    /// <summary>FUTEX_WAKE_OP: changes the second word, wakes at the first, and at the second if its old value compares well.</summary>
    private static long WakeAfterOperation(ref SystemCall call, uint operation)
    {
        Errno error = CheckWord(ref call, call.A0, operation);
        if (error == Errno.None && call.A4 % WordBytes != 0)
        {
            error = Errno.EINVAL;
        }

        byte* line = null;
        if (error == Errno.None)
        {
            error = LineFaults.Pin(call.Process, call.A4, MissAccess.Write, out line);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (!WordOperation.TryDecode((uint)call.A5, out WordOperation wanted))
        {
            return SystemCall.Fail(Errno.ENOSYS);
        }

        // Programs on other CPUs change the word without the kernel lock.
        ref uint word = ref *(uint*)(line + (call.A4 & (PageOperations.PageSize - 1)));
        uint before = word;
        while (Interlocked.CompareExchange(ref word, wanted.Apply(before), before) != before)
        {
            before = word;
        }

        bool isPrivate = (operation & PrivateFlag) != 0;
        FutexTable futexes = call.Process->Table.Futexes;
        int woken = futexes.Wake(FutexKey.Of(call.Process, call.A0, isPrivate), (int)call.A2, AllBits);
        return wanted.Compares(before) ? woken + futexes.Wake(FutexKey.Of(call.Process, call.A4, isPrivate), (int)call.A3, AllBits) : woken;
    }
}

/// <summary>The operation and comparison of FUTEX_WAKE_OP (futex(2)).</summary>
public struct WordOperation
{
    private uint _operation;
    private uint _argument;
    private uint _comparison;
    private int _comparand;

    /// <summary>False for an operation or comparison that does not exist.</summary>
    public static bool TryDecode(uint encoded, out WordOperation operation)
    {
        const uint LastOperation = 4;
        const uint LastComparison = 5;
        const uint ShiftFlag = 8;
        const int ArgumentBits = 12;
        int argument = (int)(encoded << 8) >> (32 - ArgumentBits);
        uint code = encoded >> 28;
        operation = new WordOperation
        {
            _operation = code & ~ShiftFlag,
            _argument = (code & ShiftFlag) != 0 ? 1u << (argument & 31) : (uint)argument,
            _comparison = (encoded >> 24) & 0xF,
            _comparand = (int)(encoded << 20) >> (32 - ArgumentBits),
        };
        return operation._operation <= LastOperation && operation._comparison <= LastComparison;
    }

    /// <summary>The word's new value: set, add, or, and-not, exclusive or.</summary>
    public readonly uint Apply(uint value)
    {
        return _operation switch
        {
            0 => _argument,
            1 => value + _argument,
            2 => value | _argument,
            3 => value & ~_argument,
            _ => value ^ _argument,
        };
    }

    /// <summary>Compares the old value: ==, !=, &lt;, &lt;=, &gt;, &gt;=.</summary>
    public readonly bool Compares(uint value)
    {
        int old = (int)value;
        return _comparison switch
        {
            0 => old == _comparand,
            1 => old != _comparand,
            2 => old < _comparand,
            3 => old <= _comparand,
            4 => old > _comparand,
            _ => old >= _comparand,
        };
    }
}
