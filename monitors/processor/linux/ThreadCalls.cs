// What C libraries ask for on behalf of a thread: thread pointer, robust list, prctl, personality.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of thread libraries.</summary>
public static unsafe class ThreadCalls
{
    private const ulong SetFs = 0x1002;
    private const ulong GetFs = 0x1003;
    private const ulong DefaultTimerSlackNs = 50_000;
    /// <summary>sizeof(struct robust_list_head).</summary>
    private const ulong RobustListHeadBytes = 24;

    /// <summary>PR_* of prctl(2).</summary>
    private enum ControlOption : uint
    {
        SetParentDeathSignal = 1,
        GetParentDeathSignal = 2,
        GetDumpable = 3,
        SetDumpable = 4,
        GetKeepCapabilities = 7,
        SetKeepCapabilities = 8,
        GetTiming = 13,
        SetTiming = 14,
        SetName = 15,
        GetName = 16,
        GetSecureComputing = 21,
        SetSecureComputing = 22,
        ReadBoundingSet = 23,
        GetTimeStampCounter = 25,
        GetSecureBits = 27,
        SetTimerSlack = 29,
        GetTimerSlack = 30,
        SetSubreaper = 36,
        GetSubreaper = 37,
        SetNoNewPrivileges = 38,
        GetNoNewPrivileges = 39,
        GetMemoryFailure = 34,
        GetThreadIdAddress = 40,
        SetHugePagesDisabled = 41,
        GetHugePagesDisabled = 42,
    }

    [SystemCall(158, "arch_prctl", Support.Partial, "ARCH_SET_FS and ARCH_GET_FS")]
    public static long ArchitectureControl(ref SystemCall call)
    {
        switch (call.A0)
        {
            case SetFs:
                if (call.A1 >= UserMemory.Limit)
                {
                    return SystemCall.Fail(Errno.EPERM);
                }

                UserMode.SetFsBase(call.A1);
                return 0;
            case GetFs:
                ulong address = Scheduler.Current->FsBase;
                return SystemCall.Result(new UserPointer<ulong>(call.A1).Write(call.Process, in address));
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    [SystemCall(218, "set_tid_address", Support.Full)]
    public static long SetThreadIdAddress(ref SystemCall call)
    {
        call.Thread->ClearChildThreadId = call.A0;
        return call.Thread->Id;
    }

    [SystemCall(273, "set_robust_list", Support.Full)]
    public static long SetRobustList(ref SystemCall call)
    {
        if (call.A1 != RobustListHeadBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        call.Thread->RobustList = call.A0;
        return 0;
    }

    [SystemCall(274, "get_robust_list", Support.Full)]
    public static long GetRobustList(ref SystemCall call)
    {
        UserThread* target = (uint)call.A0 == 0 ? call.Thread : Visibility.FindThread(call.Process, (uint)call.A0);
        if (target == null || target->Process->FirstThread == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (!IdentityCalls.MayInspect(call.Process, target->Process))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        // Copied first: the target may end while the copies wait for memory.
        ulong list = target->RobustList;
        ulong bytes = RobustListHeadBytes;
        bool written = new UserPointer<ulong>(call.A2).Write(call.Process, in bytes) == Errno.None
            && new UserPointer<ulong>(call.A1).Write(call.Process, in list) == Errno.None;
        return written ? 0 : SystemCall.Fail(Errno.EFAULT);
    }

    [SystemCall(334, "rseq", Support.Partial, "the area's first version, 32 bytes; a concurrency id is the CPU's number")]
    public static long RestartableSequences(ref SystemCall call)
    {
        const uint Unregister = 1;
        UserThread* thread = call.Thread;
        uint signature = (uint)call.A3;
        bool isOwn = call.A0 == thread->SequenceArea && (uint)call.A1 == RestartableSequence.AreaBytes;
        if ((uint)call.A2 == Unregister)
        {
            bool isRegistered = call.A0 != 0 && isOwn;
            return isRegistered && signature == thread->SequenceSignature
                ? SystemCall.Result(RestartableSequence.Unregister(thread))
                : SystemCall.Fail(isRegistered ? Errno.EPERM : Errno.EINVAL);
        }

        if ((uint)call.A2 != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (thread->SequenceArea != 0)
        {
            return SystemCall.Fail(!isOwn ? Errno.EINVAL : signature != thread->SequenceSignature ? Errno.EPERM : Errno.EBUSY);
        }

        if (call.A0 % RestartableSequence.AreaBytes != 0 || (uint)call.A1 != RestartableSequence.AreaBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (call.A0 == 0 || call.A0 > UserMemory.Limit - RestartableSequence.AreaBytes)
        {
            return SystemCall.Fail(Errno.EFAULT);
        }

        RestartableSequence.Register(thread, call.A0, signature);
        return 0;
    }

    [SystemCall(324, "membarrier", Support.Full)]
    public static long MemoryBarrier(ref SystemCall call) => MemoryBarriers.Run(ref call);

    [SystemCall(135, "personality", Support.Partial,
        "kept, told and inherited; of all of them only PER_LINUX32 changes anything, what uname says")]
    public static long Personality(ref SystemCall call)
    {
        const uint Query = 0xFFFFFFFF;
        uint former = call.Process->Personality;
        call.Process->Personality = (uint)call.A0 == Query ? former : (uint)call.A0;
        return former;
    }

    [SystemCall(157, "prctl", Support.Partial,
        "names, death signal, dumpable, seccomp, no_new_privs, subreaper, timer slack, what there is of capabilities; others are EINVAL")]
    public static long ProcessControl(ref SystemCall call)
    {
        Process* process = call.Process;
        switch ((ControlOption)(uint)call.A0)
        {
            // Of what these change there is one kind here: rights go by user, and pages have one size.
            case ControlOption.GetSecureBits:
                return 0;
            case ControlOption.GetHugePagesDisabled:
                return (call.A1 | call.A2 | call.A3 | call.A4) != 0 ? SystemCall.Fail(Errno.EINVAL) : 0;
            case ControlOption.SetHugePagesDisabled:
                return (call.A2 | call.A3 | call.A4) != 0 ? SystemCall.Fail(Errno.EINVAL) : 0;
            case ControlOption.GetMemoryFailure:
                // PR_MCE_KILL_DEFAULT: no memory fails under a program.
                const int Default = 2;
                return (call.A1 | call.A2 | call.A3 | call.A4) != 0 ? SystemCall.Fail(Errno.EINVAL) : Default;
            case ControlOption.GetSecureComputing:
                return (long)call.Thread->FilterMode;
            case ControlOption.SetSecureComputing:
                return FilterCalls.Control(ref call);
            case ControlOption.SetKeepCapabilities:
                if (call.A1 > 1)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                process->KeepsCapabilities = call.A1 == 1;
                return 0;
            case ControlOption.GetKeepCapabilities:
                return process->KeepsCapabilities ? 1 : 0;
            case ControlOption.ReadBoundingSet:
                return call.A1 >= Capabilities.Count ? SystemCall.Fail(Errno.EINVAL) : 1;
            case ControlOption.GetTiming:
                return 0;
            case ControlOption.SetTiming:
                return call.A1 == 0 ? 0 : SystemCall.Fail(Errno.EINVAL);
            case ControlOption.GetThreadIdAddress:
                return SystemCall.Result(new UserPointer<ulong>(call.A1).Write(process, in call.Thread->ClearChildThreadId));
            case ControlOption.GetTimeStampCounter:
                const int Readable = 1;
                return WriteNumber(process, call.A1, Readable);
            case ControlOption.SetParentDeathSignal:
                if (call.A1 > Signal.Count)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                process->ParentDeathSignal = (byte)call.A1;
                return 0;
            case ControlOption.GetParentDeathSignal:
                return WriteNumber(process, call.A1, process->ParentDeathSignal);
            case ControlOption.GetDumpable:
                return process->Dumpable;
            case ControlOption.SetDumpable:
                if (call.A1 > 1)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                process->Dumpable = (byte)call.A1;
                return 0;
            case ControlOption.SetName:
                return StoreName(call.Thread, call.A1);
            case ControlOption.GetName:
                return SystemCall.Result(new UserBuffer(call.A1, Process.NameBytes).CopyOut(process, 0, call.Thread->Name));
            case ControlOption.SetNoNewPrivileges:
                if (call.A1 != 1 || (call.A2 | call.A3 | call.A4) != 0)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                process->NoNewPrivileges = true;
                return 0;
            case ControlOption.GetNoNewPrivileges:
                bool isPlain = (call.A1 | call.A2 | call.A3 | call.A4) == 0;
                return !isPlain ? SystemCall.Fail(Errno.EINVAL) : process->NoNewPrivileges ? 1 : 0;
            case ControlOption.SetSubreaper:
                process->ReapsOrphans = call.A1 != 0;
                return 0;
            case ControlOption.GetSubreaper:
                return WriteNumber(process, call.A1, process->ReapsOrphans ? 1 : 0);
            case ControlOption.SetTimerSlack:
                // Zero is back to the default. Timers here are not grouped, so any slack is kept to.
                process->TimerSlackNs = call.A1 == 0 ? DefaultTimerSlackNs : call.A1;
                return 0;
            case ControlOption.GetTimerSlack:
                return (long)(process->TimerSlackNs == 0 ? DefaultTimerSlackNs : process->TimerSlackNs);
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    private static long WriteNumber(Process* process, ulong address, int value) =>
        SystemCall.Result(new UserPointer<int>(address).Write(process, in value));

    private static long StoreName(UserThread* thread, ulong address)
    {
        Span<byte> text = stackalloc byte[Process.NameBytes];
        Errno error = UserString.Copy(thread->Process, address, text, out int length);
        if (error == Errno.ENAMETOOLONG)
        {
            length = Process.NameBytes - 1;
        }
        else if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        text.Slice(length).Clear();
        text.CopyTo(thread->Name);
        return 0;
    }
}
