// semget, semop, semtimedop, semctl (semget(2), semop(2), semctl(2)); the sets are in process/ipc. All BLOCK: arguments are copied first,
// then a set is looked up, and nothing is copied between that and what is done with it.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of semaphore sets.</summary>
public static unsafe class SemaphoreCalls
{
    /// <summary>Most operations of a call (SEMOPM).</summary>
    private const uint MaxOperations = 500;
    private const ulong SecondNs = 1_000_000_000;

    private enum Command : uint
    {
        GetProcess = 11,
        GetValue = 12,
        GetAll = 13,
        GetWaitingForMore = 14,
        GetWaitingForZero = 15,
        SetValue = 16,
        SetAll = 17,
        Stat = 18,
        Info = 19,
        StatAny = 20,
    }

    /// <summary>struct semid64_ds.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SetRecord
    {
        internal IpcPermissionRecord Permissions;
        internal ulong OperationTime;
        internal ulong Unused1;
        internal ulong ChangeTime;
        internal ulong Unused2;
        internal ulong Count;
        internal ulong Unused3;
        internal ulong Unused4;
    }

    /// <summary>struct seminfo.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct InfoRecord
    {
        internal int Map;
        internal int Sets;
        internal int Semaphores;
        internal int Undos;
        internal int InSet;
        internal int Operations;
        internal int UndoEntries;
        internal int UndoBytes;
        internal int MaxValue;
        internal int MaxAdjustment;
    }

    [SystemCall(64, "semget", Support.Full)]
    internal static long Get(ref SystemCall call) =>
        SystemCall.Result(call.Process->Table.Semaphores.Get(call.Process, (int)call.A0, (int)call.A1, (uint)call.A2, out int id), id);

    [SystemCall(65, "semop", Support.Full)]
    internal static long Operate(ref SystemCall call) => Operate(ref call, ulong.MaxValue);

    [SystemCall(220, "semtimedop", Support.Full)]
    internal static long OperateUntil(ref SystemCall call)
    {
        if (call.A3 == 0)
        {
            return Operate(ref call, ulong.MaxValue);
        }

        Errno error = new UserPointer<TimeSpecification>(call.A3).Read(call.Process, out TimeSpecification time);
        error = error == Errno.None && !time.IsValid ? Errno.EINVAL : error;
        return error != Errno.None ? SystemCall.Fail(error) : Operate(ref call, TimeSpecification.DeadlineAfter(time.TotalNs));
    }

    private static long Operate(ref SystemCall call, ulong deadlineNs)
    {
        Process* process = call.Process;
        uint count = (uint)call.A2;
        if (count == 0 || (int)call.A0 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (count > MaxOperations)
        {
            return SystemCall.Fail(Errno.E2BIG);
        }

        SemaphoreOperation* operations = (SemaphoreOperation*)process->Table.Frames.Allocate();
        if (operations == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        Errno error = UserMemory.CopyIn(process, call.A1, new System.Span<byte>(operations, (int)count * sizeof(SemaphoreOperation)));
        error = error == Errno.None ? Operate(process, (int)call.A0, operations, (int)count, deadlineNs) : error;
        process->Table.Frames.Free(operations);
        return SystemCall.Result(error);
    }

    private static Errno Operate(Process* process, int id, SemaphoreOperation* operations, int count, ulong deadlineNs)
    {
        SemaphoreSet* set = process->Table.Semaphores.Find(process, id);
        if (set == null)
        {
            return Errno.EINVAL;
        }

        bool alters = false;
        bool exists = true;
        for (int index = 0; index < count; index++)
        {
            alters |= operations[index].Change != 0;
            exists &= operations[index].Number < set->Count;
        }

        Errno error = exists ? set->Head.Check(process, alters ? IpcObject.WriteRights : IpcObject.ReadRights) : Errno.EFBIG;
        return error != Errno.None ? error : process->Table.Semaphores.Operate(process, set, operations, count, deadlineNs);
    }

    [SystemCall(66, "semctl", Support.Full)]
    internal static long Control(ref SystemCall call)
    {
        Process* process = call.Process;
        SemaphoreSets sets = process->Table.Semaphores;
        uint command = (uint)call.A2;
        if ((int)call.A0 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        // A value that no semaphore can have counts before whether there is one.
        if (command == (uint)Command.SetValue && (int)call.A3 is (< 0 or > SemaphoreSet.MaxValue))
        {
            return SystemCall.Fail(Errno.ERANGE);
        }

        switch (command)
        {
            case IpcFlags.Info or (uint)Command.Info:
                return Info(ref call, isUse: command != IpcFlags.Info);
            case (uint)Command.SetAll:
                return SetAll(ref call);
            case IpcFlags.Set:
                return Set(ref call);
        }

        bool byPlace = command is (uint)Command.Stat or (uint)Command.StatAny;
        SemaphoreSet* set = byPlace ? (SemaphoreSet*)sets.Table.At(process, (int)call.A0) : sets.Find(process, (int)call.A0);
        if (set == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch (command)
        {
            case IpcFlags.Remove:
                Errno error = set->Head.CheckOwner(process);
                if (error == Errno.None)
                {
                    sets.Remove(set);
                }

                return SystemCall.Result(error);
            case IpcFlags.Stat or (uint)Command.Stat or (uint)Command.StatAny:
                return Stat(ref call, set, isFree: command == (uint)Command.StatAny, byPlace);
            case (uint)Command.GetAll:
                return GetAll(ref call, set);
            default:
                return ControlOne(ref call, set, (Command)command);
        }
    }

    /// <summary>Commands about one semaphore.</summary>
    private static long ControlOne(ref SystemCall call, SemaphoreSet* set, Command command)
    {
        if (command is not (
            Command.GetProcess or Command.GetValue or Command.GetWaitingForMore or Command.GetWaitingForZero or Command.SetValue))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        int number = (int)call.A1;
        int value = (int)call.A3;
        // SETVAL looks for the semaphore first, the others at the rights.
        bool exists = number >= 0 && number < set->Count;
        Errno error = set->Head.Check(call.Process, command == Command.SetValue ? IpcObject.WriteRights : IpcObject.ReadRights);
        error = !exists && (error == Errno.None || command == Command.SetValue) ? Errno.EINVAL : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        switch (command)
        {
            case Command.GetProcess:
                return set->Semaphores[number].LastProcess;
            case Command.GetValue:
                return set->Semaphores[number].Value;
            case Command.GetWaitingForMore:
                return set->Waiting(number, forZero: false);
            case Command.GetWaitingForZero:
                return set->Waiting(number, forZero: true);
            default:
                set->ForgetUndos(number);
                set->Semaphores[number] = new Semaphore { Value = value, LastProcess = call.Process->Id };
                set->Head.ChangeTimeNs = Clock.UnixTimeNs();
                call.Process->Table.Semaphores.Changed(set);
                return 0;
        }
    }

    private static long Stat(ref SystemCall call, SemaphoreSet* set, bool isFree, bool byPlace)
    {
        Errno error = isFree ? Errno.None : set->Head.Check(call.Process, IpcObject.ReadRights);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        SetRecord record = new()
        {
            Permissions = set->Head.Record(),
            OperationTime = set->OperationTimeNs / SecondNs,
            ChangeTime = set->Head.ChangeTimeNs / SecondNs,
            Count = (ulong)set->Count,
        };
        int id = set->Head.Id;
        return SystemCall.Result(new UserPointer<SetRecord>(call.A3).Write(call.Process, in record), byPlace ? id : 0);
    }

    private static long GetAll(ref SystemCall call, SemaphoreSet* set)
    {
        Errno error = set->Head.Check(call.Process, IpcObject.ReadRights);
        ushort* values = error != Errno.None ? null : (ushort*)call.Process->Table.Frames.Allocate();
        if (values == null)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.ENOMEM);
        }

        int count = set->Count;
        for (int number = 0; number < count; number++)
        {
            values[number] = (ushort)set->Semaphores[number].Value;
        }

        error = UserMemory.CopyOut(call.Process, call.A3, new System.ReadOnlySpan<byte>(values, count * sizeof(ushort)));
        call.Process->Table.Frames.Free(values);
        return SystemCall.Result(error);
    }

    private static long SetAll(ref SystemCall call)
    {
        Process* process = call.Process;
        SemaphoreSet* set = process->Table.Semaphores.Find(process, (int)call.A0);
        Errno error = set == null ? Errno.EINVAL : set->Head.Check(process, IpcObject.WriteRights);
        ushort* values = error != Errno.None ? null : (ushort*)process->Table.Frames.Allocate();
        if (values == null)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.ENOMEM);
        }

        int count = set->Count;
        error = UserMemory.CopyIn(process, call.A3, new System.Span<byte>(values, count * sizeof(ushort)));
        for (int number = 0; number < count && error == Errno.None; number++)
        {
            error = values[number] > SemaphoreSet.MaxValue ? Errno.ERANGE : Errno.None;
        }

        set = process->Table.Semaphores.Find(process, (int)call.A0);
        error = error == Errno.None && set == null ? Errno.EIDRM : error;
        for (int number = 0; number < count && error == Errno.None; number++)
        {
            set->Semaphores[number] = new Semaphore { Value = values[number], LastProcess = process->Id };
        }

        process->Table.Frames.Free(values);
        if (error == Errno.None)
        {
            set->ForgetUndos(-1);
            set->Head.ChangeTimeNs = Clock.UnixTimeNs();
            process->Table.Semaphores.Changed(set);
        }

        return SystemCall.Result(error);
    }

    private static long Set(ref SystemCall call)
    {
        Errno error = new UserPointer<SetRecord>(call.A3).Read(call.Process, out SetRecord wanted);
        SemaphoreSet* set = call.Process->Table.Semaphores.Find(call.Process, (int)call.A0);
        error = error != Errno.None ? error : set == null ? Errno.EINVAL : set->Head.CheckOwner(call.Process);
        return SystemCall.Result(error != Errno.None ? error : set->Head.Set(in wanted.Permissions));
    }

    /// <summary>IPC_INFO: the limits; SEM_INFO: what there is as well. The highest place in use.</summary>
    private static long Info(ref SystemCall call, bool isUse)
    {
        SemaphoreSets sets = call.Process->Table.Semaphores;
        const int Total = IpcTable.MaxObjects * SemaphoreSets.MaxInSet;
        InfoRecord record = new()
        {
            Map = Total,
            Sets = IpcTable.MaxObjects,
            Semaphores = Total,
            Undos = Total,
            InSet = SemaphoreSets.MaxInSet,
            Operations = (int)MaxOperations,
            UndoEntries = (int)MaxOperations,
            UndoBytes = isUse ? sets.Table.Count : sizeof(SemaphoreUndo),
            MaxValue = SemaphoreSet.MaxValue,
            MaxAdjustment = isUse ? sets.Total : SemaphoreSet.MaxValue,
        };
        int last = System.Math.Max(sets.Table.Last, 0);
        return SystemCall.Result(new UserPointer<InfoRecord>(call.A3).Write(call.Process, in record), last);
    }
}
