// The system calls about signals: actions, masks, sending, waiting, alternate stacks. Semantics of sending and delivery are in
// process/Signals.cs and process/SignalDelivery.cs. Masks are the kernel's 8-byte sets.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>rt_sig*, kill, sigaltstack, pause.</summary>
public static unsafe class SignalCalls
{
    private const ulong MaskBytes = 8;
    private const int AnyProcess = 0;

    private const uint AllOthers = uint.MaxValue;

    private enum MaskChange : ulong
    {
        Block = 0,
        Unblock = 1,
        Set = 2,
    }

    [SystemCall(13, "rt_sigaction", Support.Full)]
    public static long Action(ref SystemCall call)
    {
        int signal = (int)call.A0;
        if (call.A3 != MaskBytes || signal < 1 || signal > Signal.Count)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Process* process = call.Process;
        SignalAction before = (*process->Actions)[signal];
        if (call.A1 != 0)
        {
            Errno error = new UserPointer<SignalAction>(call.A1).Read(process, out SignalAction wanted);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            if ((Signals.Unblockable & Signal.Bit(signal)) != 0)
            {
                return SystemCall.Fail(Errno.EINVAL);
            }

            wanted.Mask &= ~Signals.Unblockable;
            (*process->Actions)[signal] = wanted;
            if (Signals.IsIgnored(process, signal))
            {
                Signals.Forget(process, Signal.Bit(signal));
            }
        }

        return call.A2 == 0 ? 0 : SystemCall.Result(new UserPointer<SignalAction>(call.A2).Write(process, in before));
    }

    [SystemCall(14, "rt_sigprocmask", Support.Full)]
    public static long ProcessMask(ref SystemCall call)
    {
        if (call.A3 != MaskBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        ulong before = call.Thread->BlockedSignals;
        if (call.A1 != 0)
        {
            Errno error = new UserPointer<ulong>(call.A1).Read(call.Process, out ulong mask);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            mask &= ~Signals.Unblockable;
            switch ((MaskChange)(uint)call.A0)
            {
                case MaskChange.Block:
                    mask |= before;
                    break;
                case MaskChange.Unblock:
                    mask = before & ~mask;
                    break;
                case MaskChange.Set:
                    break;
                default:
                    return SystemCall.Fail(Errno.EINVAL);
            }

            Signals.SetMask(call.Thread, mask);
        }

        return call.A2 == 0 ? 0 : SystemCall.Result(new UserPointer<ulong>(call.A2).Write(call.Process, in before));
    }

    [SystemCall(15, "rt_sigreturn", Support.Full)]
    public static long Return(ref SystemCall call) => SignalDelivery.Return(call.Thread, call.User);

    [SystemCall(34, "pause", Support.Full)]
    public static long Pause(ref SystemCall call)
    {
        WaitQueue nothing = default;
        while (Signals.Wait(ref nothing) == Errno.None)
        {
        }

        return SystemCall.Fail(Errno.EINTR);
    }

    [SystemCall(130, "rt_sigsuspend", Support.Full)]
    public static long Suspend(ref SystemCall call)
    {
        if (call.A1 != MaskBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = new UserPointer<ulong>(call.A0).Read(call.Process, out ulong mask);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        BlockTemporarily(call.Thread, mask);
        return Pause(ref call);
    }

    /// <summary>Replaces the mask until the call's signal has been delivered (sigsuspend, ppoll, pselect6, epoll_pwait).</summary>
    public static void BlockTemporarily(UserThread* thread, ulong mask)
    {
        thread->SavedMask = thread->BlockedSignals;
        thread->RestoresSavedMask = true;
        Signals.SetMask(thread, mask & ~Signals.Unblockable);
    }

    [SystemCall(127, "rt_sigpending", Support.Full)]
    public static long Pending(ref SystemCall call)
    {
        if (call.A1 > MaskBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        ulong pending = (call.Thread->Pending.Mask | call.Process->Pending.Mask) & call.Thread->BlockedSignals;
        return SystemCall.Result(new UserPointer<ulong>(call.A0).Write(call.Process, in pending));
    }

    [SystemCall(128, "rt_sigtimedwait", Support.Full)]
    public static long TimedWait(ref SystemCall call)
    {
        if (call.A3 != MaskBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* thread = call.Thread;
        Errno error = new UserPointer<ulong>(call.A0).Read(call.Process, out ulong wanted);
        ulong deadline = ulong.MaxValue;
        if (error == Errno.None && call.A2 != 0)
        {
            error = TimeSpecification.ReadDeadline(call.Process, call.A2, out deadline);
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        wanted &= ~Signals.Unblockable;
        WaitQueue arrivals = default;
        thread->AwaitedSignals = wanted;
        SignalInfo info;
        while (!Signals.TryDequeue(thread, ~wanted, out info))
        {
            if (error != Errno.None)
            {
                thread->AwaitedSignals = 0;
                return SystemCall.Fail(error == Errno.ETIMEDOUT ? Errno.EAGAIN : error);
            }

            error = Signals.WaitUntil(ref arrivals, deadline);
        }

        thread->AwaitedSignals = 0;
        if (call.A1 != 0)
        {
            SignalInfoFrame frame = SignalInfoFrame.From(in info);
            error = new UserPointer<SignalInfoFrame>(call.A1).Write(call.Process, in frame);
            return SystemCall.Result(error, info.Number);
        }

        return info.Number;
    }

    [SystemCall(131, "sigaltstack", Support.Full)]
    public static long AlternateStack(ref SystemCall call)
    {
        UserThread* thread = call.Thread;
        SignalStack before = new()
        {
            Address = thread->AlternateStack,
            LengthBytes = thread->AlternateStackBytes,
            Flags = SignalDelivery.StackFlags(thread, call.User->Rsp),
        };
        if (call.A0 != 0)
        {
            Errno error = new UserPointer<SignalStack>(call.A0).Read(call.Process, out SignalStack wanted);
            // What is asked for is there: nothing is checked (do_sigaltstack).
            bool isSame = wanted.Address == thread->AlternateStack && wanted.LengthBytes == thread->AlternateStackBytes
                && wanted.Flags == 0;
            if (error == Errno.None && !isSame)
            {
                error = SignalDelivery.SetAlternateStack(thread, call.User->Rsp, wanted.Address, wanted.LengthBytes, wanted.Flags);
            }

            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }

        return call.A1 == 0 ? 0 : SystemCall.Result(new UserPointer<SignalStack>(call.A1).Write(call.Process, in before));
    }

    [SystemCall(62, "kill", Support.Full)]
    public static long Kill(ref SystemCall call)
    {
        int id = (int)call.A0;
        int signal = (int)call.A1;
        SignalInfo info = FromUser(call.Process, signal);
        if (id > 0)
        {
            return SendToProcess(call.Process, (uint)id, in info);
        }

        if (id == int.MinValue)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (signal < 0 || signal > Signal.Count)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        return SendToMany(call.Process, id == 0 ? call.Process->Group : id == -1 ? AllOthers : (uint)-id, in info);
    }

    /// <summary>
    /// Sends a signal to a process group, or to <see cref="AllOthers"/>. ESRCH: there is nobody; EPERM: none may be sent it.
    /// </summary>
    internal static long SendToMany(Process* sender, uint group, in SignalInfo info)
    {
        bool found = false;
        bool allowed = false;
        for (Process* process = sender->Table.First; process != null; process = process->Next)
        {
            bool matches = group == AllOthers ? process != sender && process != sender->Table.Init : process->Group == group;
            if (!matches || !Visibility.Sees(sender, process))
            {
                continue;
            }

            // A child that fork is still making counts for nobody, but the signal reaches it.
            bool counts = process->State != ProcessState.Embryo;
            found |= counts;
            if (MaySignal(sender, process, info.Number))
            {
                allowed |= counts;
                Signals.Send(process, in info);
            }
        }

        if (!found)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        return allowed ? 0 : SystemCall.Fail(Errno.EPERM);
    }

    [SystemCall(200, "tkill", Support.Full)]
    public static long ThreadKill(ref SystemCall call) =>
        SendToThread(ref call, AnyProcess, (int)call.A0, FromUser(call.Process, (int)call.A1));

    [SystemCall(234, "tgkill", Support.Full)]
    public static long ThreadGroupKill(ref SystemCall call) =>
        (int)call.A0 <= 0
            ? SystemCall.Fail(Errno.EINVAL)
            : SendToThread(ref call, (int)call.A0, (int)call.A1, FromUser(call.Process, (int)call.A2));

    [SystemCall(129, "rt_sigqueueinfo", Support.Full)]
    public static long QueueInformation(ref SystemCall call)
    {
        Errno error = ReadInformation(ref call, (int)call.A0, (int)call.A1, call.A2, out SignalInfo info);
        return error != Errno.None ? SystemCall.Fail(error)
            : (int)call.A0 <= 0 ? SystemCall.Fail(Errno.ESRCH) : SendToProcess(call.Process, (uint)call.A0, in info);
    }

    [SystemCall(297, "rt_tgsigqueueinfo", Support.Full)]
    public static long ThreadGroupQueueInformation(ref SystemCall call)
    {
        if ((int)call.A0 <= 0 || (int)call.A1 <= 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno error = ReadInformation(ref call, (int)call.A0, (int)call.A2, call.A3, out SignalInfo info);
        return error != Errno.None ? SystemCall.Fail(error) : SendToThread(ref call, (int)call.A0, (int)call.A1, in info);
    }

    internal static Errno ReadInformation(ref SystemCall call, int id, int signal, ulong address, out SignalInfo info)
    {
        info = default;
        Errno error = new UserPointer<SignalInfoFrame>(address).Read(call.Process, out SignalInfoFrame frame);
        if (error != Errno.None)
        {
            return error;
        }

        if ((frame.Code >= 0 || frame.Code == SignalCode.Thread) && (uint)id != call.Process->Id)
        {
            // Nobody may pretend to be the kernel or kill(2).
            return Errno.EPERM;
        }

        info = new()
        {
            Number = signal,
            Code = frame.Code,
            Error = frame.Error,
            ProcessId = frame.ProcessId,
            UserId = frame.UserId,
            Value = frame.Value,
        };
        return Errno.None;
    }

    /// <summary>tgkill and its kin; with <see cref="AnyProcess"/> a thread of whatever process.</summary>
    internal static long SendToThread(ref SystemCall call, int processId, int threadId, in SignalInfo info)
    {
        if (threadId <= 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* target = Visibility.FindThread(call.Process, (uint)threadId);
        bool isMeant = target != null && target->Process->State != ProcessState.Embryo
            && (processId == AnyProcess || target->Process->Id == (uint)processId);
        if (!isMeant)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        Errno error = CheckSignal(call.Process, target->Process, info.Number);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        SignalInfo sent = info;
        sent.Code = info.Code == SignalCode.User ? SignalCode.Thread : info.Code;
        return SystemCall.Result(Signals.SendToThread(target, in sent));
    }

    internal static long SendToProcess(Process* sender, uint id, in SignalInfo info)
    {
        // As on Linux, any of its threads names a process.
        UserThread* thread = Visibility.FindThread(sender, id);
        Process* target = thread == null ? null : thread->Process;
        if (target == null || target->State == ProcessState.Embryo)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        Errno error = CheckSignal(sender, target, info.Number);
        return SystemCall.Result(error != Errno.None ? error : Signals.Send(target, in info));
    }

    /// <summary>The number first, as Linux does (check_kill_permission): EINVAL, EPERM.</summary>
    private static Errno CheckSignal(Process* sender, Process* target, int signal) =>
        signal < 0 || signal > Signal.Count ? Errno.EINVAL : MaySignal(sender, target, signal) ? Errno.None : Errno.EPERM;

    /// <summary>kill(2): root, same user, or SIGCONT within a session.</summary>
    private static bool MaySignal(Process* sender, Process* target, int signal)
    {
        return sender->EffectiveUserId == 0 || sender->UserId == target->UserId || sender->UserId == target->SavedUserId
            || sender->EffectiveUserId == target->UserId || sender->EffectiveUserId == target->SavedUserId
            || (signal == Signal.Continue && sender->SessionId == target->SessionId);
    }

    internal static SignalInfo FromUser(Process* sender, int signal) =>
        new() { Number = signal, Code = SignalCode.User, ProcessId = sender->Id, UserId = sender->UserId };
}
