// What C libraries ask for on behalf of a thread: thread pointer, futex, robust list, prctl, personality. With one thread in a process, a futex
// wait can end only by a change that already happened, a signal or its timeout; wakes find nobody.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of thread libraries.</summary>
public static unsafe class ThreadCalls
{
    private const ulong SetFs = 0x1002;
    private const ulong GetFs = 0x1003;

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

    [SystemCall(273, "set_robust_list", Support.Partial, "kept, but not walked at exit: there are no other threads")]
    public static long SetRobustList(ref SystemCall call)
    {
        const ulong HeadBytes = 24;
        if (call.A1 != HeadBytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        call.Thread->RobustList = call.A0;
        call.Thread->RobustListBytes = call.A1;
        return 0;
    }

    [SystemCall(274, "get_robust_list", Support.Full)]
    public static long GetRobustList(ref SystemCall call)
    {
        Process* target = call.A0 == 0 ? call.Process : call.Process->Table.Find((uint)call.A0);
        if (target == null || target->Thread == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        // Copied first: the target may end while the caller's pages are fetched.
        ulong list = target->Thread->RobustList;
        ulong listBytes = target->Thread->RobustListBytes;
        bool written = new UserPointer<ulong>(call.A1).Write(call.Process, in list) == Errno.None
            && new UserPointer<ulong>(call.A2).Write(call.Process, in listBytes) == Errno.None;
        return written ? 0 : SystemCall.Fail(Errno.EFAULT);
    }

    [SystemCall(334, "rseq", Support.Stub, "always ENOSYS, which C libraries accept")]
    public static long RestartableSequences(ref SystemCall call) => SystemCall.Fail(Errno.ENOSYS);

    [SystemCall(324, "membarrier", Support.Stub, "the query answers that no command is supported")]
    public static long MemoryBarrier(ref SystemCall call) => call.A0 == 0 ? 0 : SystemCall.Fail(Errno.EINVAL);

    [SystemCall(135, "personality", Support.Partial, "PER_LINUX only")]
    public static long Personality(ref SystemCall call)
    {
        const uint Query = 0xFFFFFFFF;
        return (uint)call.A0 is 0 or Query ? 0 : SystemCall.Fail(Errno.EINVAL);
    }

    [SystemCall(202, "futex", Support.Partial, "FUTEX_WAIT, FUTEX_WAKE and their bitset forms, within one process")]
    public static long Futex(ref SystemCall call)
    {
        const ulong CommandMask = 0x7F;
        const ulong WaitCommand = 0;
        const ulong WakeCommand = 1;
        const ulong WaitBitSet = 9;
        const ulong WakeBitSet = 10;
        if ((call.A0 & 3) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch (call.A1 & CommandMask)
        {
            case WakeCommand:
            case WakeBitSet:
                return 0;
            case WaitCommand:
            case WaitBitSet:
                break;
            default:
                return SystemCall.Fail(Errno.ENOSYS);
        }

        Errno error = new UserPointer<uint>(call.A0).Read(call.Process, out uint value);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (value != (uint)call.A2)
        {
            return SystemCall.Fail(Errno.EAGAIN);
        }

        ulong deadline = ulong.MaxValue;
        if (call.A3 != 0)
        {
            error = TimeSpecification.ReadDeadline(call.Process, call.A3, out deadline);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }

        WaitQueue nobody = default;
        while (error == Errno.None)
        {
            error = Signals.WaitUntil(ref nobody, deadline);
        }

        return SystemCall.Fail(error);
    }

    [SystemCall(157, "prctl", Support.Partial, "PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_DUMPABLE, PR_SET_NO_NEW_PRIVS")]
    public static long ProcessControl(ref SystemCall call)
    {
        const ulong SetParentDeathSignal = 1;
        const ulong GetParentDeathSignal = 2;
        const ulong GetDumpable = 3;
        const ulong SetDumpable = 4;
        const ulong SetName = 15;
        const ulong GetName = 16;
        const ulong SetNoNewPrivileges = 38;
        const ulong GetNoNewPrivileges = 39;
        Process* process = call.Process;
        switch (call.A0)
        {
            case SetParentDeathSignal:
                if (call.A1 > Signal.Count)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                process->ParentDeathSignal = (byte)call.A1;
                return 0;
            case GetParentDeathSignal:
                int signal = process->ParentDeathSignal;
                return SystemCall.Result(new UserPointer<int>(call.A1).Write(process, in signal));
            case GetDumpable:
                return process->Dumpable;
            case SetDumpable:
                if (call.A1 > 1)
                {
                    return SystemCall.Fail(Errno.EINVAL);
                }

                process->Dumpable = (byte)call.A1;
                return 0;
            case SetName:
                return StoreName(process, call.A1);
            case GetName:
                return SystemCall.Result(new UserBuffer(call.A1, Process.NameBytes).CopyOut(process, 0, process->Name));
            case SetNoNewPrivileges:
                return call.A1 == 1 ? 0 : SystemCall.Fail(Errno.EINVAL);
            case GetNoNewPrivileges:
                return 0;
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    private static long StoreName(Process* process, ulong address)
    {
        Span<byte> text = stackalloc byte[Process.NameBytes];
        Errno error = UserString.Copy(process, address, text, out int length);
        if (error == Errno.ENAMETOOLONG)
        {
            length = Process.NameBytes - 1;
        }
        else if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        text.Slice(length).Clear();
        text.CopyTo(process->Name);
        return 0;
    }
}
