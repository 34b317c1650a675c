// seccomp (seccomp(2)) and its forms in prctl(2), and what a thread's filters do to a call before it begins. Errors in the order of Linux's
// kernel/seccomp.c. There are no listeners: what asks one (SECCOMP_RET_USER_NOTIF), or a tracer, is ENOSYS, as where none is there. BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about filters of system calls.</summary>
public static unsafe class FilterCalls
{
    private const uint SynchronizesThreads = 1;
    private const uint Logs = 2;
    private const uint AllowsSpeculation = 4;
    private const uint TellsNoSuchThread = 0x10;
    private const uint KnownFlags = SynchronizesThreads | Logs | AllowsSpeculation | TellsNoSuchThread;

    private enum Operation : uint
    {
        SetStrict = 0,
        SetFilter = 1,
        IsActionThere = 2,
    }

    /// <summary>SECCOMP_RET_*: the lowest of them, as signed numbers, counts.</summary>
    private enum Verdict : int
    {
        KillProcess = unchecked((int)0x8000_0000),
        KillThread = 0,
        Trap = 0x0003_0000,
        Error = 0x0005_0000,
        AskListener = 0x7FC0_0000,
        AskTracer = 0x7FF0_0000,
        Log = 0x7FFC_0000,
        Allow = 0x7FFF_0000,
    }

    [SystemCall(317, "seccomp", Support.Partial,
        "no listeners (SECCOMP_FILTER_FLAG_NEW_LISTENER and _WAIT_KILLABLE_RECV, SECCOMP_GET_NOTIF_SIZES: EINVAL), no tracers")]
    internal static long Secure(ref SystemCall call) => Secure(ref call, (Operation)(uint)call.A0, (uint)call.A1, call.A2);

    /// <summary>PR_SET_SECCOMP.</summary>
    internal static long Control(ref SystemCall call)
    {
        return call.A1 switch
        {
            (ulong)FilterMode.Strict => Secure(ref call, Operation.SetStrict, 0, 0),
            (ulong)FilterMode.Filtered => Secure(ref call, Operation.SetFilter, 0, call.A2),
            _ => SystemCall.Fail(Errno.EINVAL),
        };
    }

    /// <summary>
    /// Whether a call of a thread that is not free may begin; if not, <paramref name="result"/> is what it returns, unless a signal comes
    /// of it.
    /// </summary>
    internal static bool MayBegin(ref SystemCall call, out long result)
    {
        result = (long)call.Number;
        UserThread* thread = call.Thread;
        if (thread->FilterMode == FilterMode.Strict)
        {
            const ulong Exit = 60;
            bool isAllowed = call.Number is 0 or 1 or Exit or SystemCallRestart.SignalReturn;
            if (!isAllowed)
            {
                ThreadExit.End(thread, Signal.Kill);
            }

            return isAllowed;
        }

        FilterInput input = new()
        {
            Number = (int)call.Number,
            Architecture = FilterInput.Architecture64,
            InstructionPointer = call.User->Rip,
        };
        input.Arguments[0] = call.A0;
        input.Arguments[1] = call.A1;
        input.Arguments[2] = call.A2;
        input.Arguments[3] = call.A3;
        input.Arguments[4] = call.A4;
        input.Arguments[5] = call.A5;
        uint said = (uint)Verdict.Allow;
        for (SystemCallFilter* filter = thread->Filters; filter != null; filter = filter->Older)
        {
            uint one = FilterProgram.Run(filter, in input);
            said = VerdictOf(one) < VerdictOf(said) ? one : said;
        }

        return Obey(ref call, VerdictOf(said), (ushort)said, ref result);
    }

    private static Verdict VerdictOf(uint said) => (Verdict)(said & 0xFFFF_0000);

    private static bool Obey(ref SystemCall call, Verdict verdict, ushort data, ref long result)
    {
        const ushort MostError = 4095;
        UserThread* thread = call.Thread;
        switch (verdict)
        {
            case Verdict.Allow:
                return true;
            case Verdict.Log:
                if (thread->HasLoggedCall)
                {
                    return true;
                }

                // Once a thread: a program does not fill the log.
                thread->HasLoggedCall = true;
                Log.Info($"process {call.Process->Id} makes system call {call.Number} (SECCOMP_RET_LOG)");
                return true;
            case Verdict.AskTracer:
            case Verdict.AskListener:
                result = SystemCall.Fail(Errno.ENOSYS);
                return false;
            case Verdict.Error:
                result = -(long)(data < MostError ? data : MostError);
                return false;
            case Verdict.Trap:
                Signals.Force(thread, InformationOf(ref call, data));
                return false;
            case Verdict.KillThread when call.Process->ThreadCount > 1:
                ThreadExit.End(thread, Signal.BadSystemCall);
                return false;
            default:
                (*call.Process->Actions)[Signal.BadSystemCall].Handler = SignalAction.Default;
                Signals.Force(thread, InformationOf(ref call, data));
                thread->BlockedSignals &= ~Signal.Bit(Signal.BadSystemCall);
                return false;
        }
    }

    private static SignalInfo InformationOf(ref SystemCall call, ushort data) => new()
    {
        Number = Signal.BadSystemCall,
        Code = SignalCode.SystemCallFiltered,
        Error = data,
        Value = call.User->Rip,
        Status = (int)call.Number,
    };

    private static long Secure(ref SystemCall call, Operation operation, uint flags, ulong address)
    {
        switch (operation)
        {
            case Operation.SetStrict:
                if (flags != 0 || address != 0 || call.Thread->FilterMode == FilterMode.Filtered)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                call.Thread->FilterMode = FilterMode.Strict;
                call.Thread->EntersSpecially = true;
                return 0;
            case Operation.SetFilter:
                return (flags & ~KnownFlags) != 0 ? SystemCall.Fail(Errno.EINVAL) : SetFilter(ref call, flags, address);
            case Operation.IsActionThere when flags == 0:
                Errno error = new UserPointer<uint>(address).Read(call.Process, out uint action);
                bool isThere = action != (uint)Verdict.AskListener && action == (action & 0xFFFF_0000)
                    && VerdictOf(action) is Verdict.KillProcess or Verdict.KillThread or Verdict.Trap or Verdict.Error or Verdict.AskTracer
                    or Verdict.Log or Verdict.Allow;
                return SystemCall.Result(error != Errno.None ? error : isThere ? Errno.None : Errno.EOPNOTSUPP);
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    private static long SetFilter(ref SystemCall call, uint flags, ulong address)
    {
        Process* process = call.Process;
        SystemCallFilters filters = process->Table.Filters;
        Errno error = new UserPointer<ProgramRecord>(address).Read(process, out ProgramRecord program);
        if (error != Errno.None || program.Length == 0 || program.Length > FilterCode.MaxInstructions)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        if (!process->NoNewPrivileges && process->EffectiveUserId != 0)
        {
            return SystemCall.Fail(Errno.EACCES);
        }

        SystemCallFilter* filter = filters.Create(program.Length);
        if (filter == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        error = program.Read(process, ref filter->Code);
        // Nothing blocks from here on.
        error = error != Errno.None ? error : FilterProgram.Check(filter, process->Table.Frames);
        error = error == Errno.None && call.Thread->FilterMode == FilterMode.Strict ? Errno.EINVAL : error;
        UserThread* hindered = error == Errno.None && (flags & SynchronizesThreads) != 0 ? FindHindered(call.Thread) : null;
        error = error != Errno.None || hindered != null ? error : SystemCallFilters.Attach(call.Thread, filter);
        if (error != Errno.None || hindered != null)
        {
            filters.Release(filter);
            return hindered == null ? SystemCall.Fail(error)
                : (flags & TellsNoSuchThread) != 0 ? SystemCall.Fail(Errno.ESRCH)
                : hindered->Id;
        }

        for (UserThread* other = process->FirstThread; other != null && (flags & SynchronizesThreads) != 0; other = other->Next)
        {
            if (other != call.Thread)
            {
                SystemCallFilters.Inherit(call.Thread, other);
            }
        }

        return 0;
    }

    /// <summary>A thread that has filters of its own, which it would lose by taking this one's; null: none.</summary>
    private static UserThread* FindHindered(UserThread* thread)
    {
        UserThread* other = thread->Process->FirstThread;
        while (other != null && (other == thread || SystemCallFilters.MayReplace(other, thread)))
        {
            other = other->Next;
        }

        return other;
    }
}
