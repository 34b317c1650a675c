// Resource limits and usage: getrlimit, setrlimit, prlimit64, getrusage (getrlimit(2), getrusage(2)).

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about limits and usage.</summary>
public static unsafe class LimitCalls
{
    private const ulong CpuLimit = 0;
    private const long Self = 0;
    private const long Children = -1;
    private const long Thread = 1;

    /// <summary>struct rlimit.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LimitPair
    {
        internal ulong Soft;
        internal ulong Hard;
    }

    [SystemCall(97, "getrlimit", Support.Full)]
    internal static long Get(ref SystemCall call) => call.A1 == 0 && call.A0 < Process.LimitCount
        ? SystemCall.Fail(Errno.EFAULT)
        : Exchange(ref call, call.Process, call.A0, 0, call.A1);

    [SystemCall(160, "setrlimit", Support.Partial, "as prlimit64")]
    internal static long Set(ref SystemCall call) => call.A1 == 0
        ? SystemCall.Fail(Errno.EFAULT)
        : Exchange(ref call, call.Process, call.A0, call.A1, 0);

    [SystemCall(302, "prlimit64", Support.Partial,
        "enforced: RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_SIGPENDING, RLIMIT_NICE; "
        + "the others are kept and inherited")]
    internal static long Exchange(ref SystemCall call)
    {
        uint id = (uint)call.A0;
        Process* target = id == 0 ? call.Process : Visibility.FindProcess(call.Process, id);
        return target == null ? SystemCall.Fail(Errno.ESRCH) : Exchange(ref call, target, call.A1, call.A2, call.A3);
    }

    [SystemCall(98, "getrusage", Support.Partial, "times, faults, resident memory and waits; no counts of I/O and of lost processors")]
    internal static long GetUsage(ref SystemCall call)
    {
        ResourceUsage record;
        switch ((int)call.A0)
        {
            case (int)Self:
                record = ResourceUsage.Of(call.Process);
                break;
            case (int)Thread:
                record = ResourceUsage.Of(call.Thread);
                break;
            case (int)Children:
                record = ResourceUsage.OfChildren(call.Process);
                break;
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }

        return SystemCall.Result(new UserPointer<ResourceUsage>(call.A1).Write(call.Process, in record));
    }

    /// <summary>Reads the new limit first, as Linux does: old and new may lie at one address.</summary>
    private static long Exchange(ref SystemCall call, Process* target, ulong resource, ulong newAddress, ulong oldAddress)
    {
        if (resource >= Process.LimitCount)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        uint targetId = target->Id;
        LimitPair wanted = default;
        if (newAddress != 0)
        {
            Errno error = new UserPointer<LimitPair>(newAddress).Read(call.Process, out wanted);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }

            target = Visibility.FindProcess(call.Process, targetId);
            if (target == null)
            {
                return SystemCall.Fail(Errno.ESRCH);
            }
        }

        if (!IdentityCalls.MayInspect(call.Process, target))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        int index = 2 * (int)resource;
        LimitPair old = new() { Soft = target->Limits[index], Hard = target->Limits[index + 1] };
        if (newAddress != 0)
        {
            if (wanted.Soft > wanted.Hard)
            {
                return SystemCall.Fail(Errno.EINVAL);
            }

            bool raises = wanted.Hard > old.Hard && call.Process->EffectiveUserId != 0;
            bool tooManyFiles = resource == ResourceLimit.Files && wanted.Hard > FileTable.MaxDescriptors;
            if (raises || tooManyFiles)
            {
                return SystemCall.Fail(Errno.EPERM);
            }

            target->Limits[index] = wanted.Soft;
            target->Limits[index + 1] = wanted.Hard;
            if (resource == CpuLimit && target->State != ProcessState.Zombie)
            {
                target->Table.Timers.SetLimit(target);
            }
        }

        return oldAddress == 0 ? 0 : SystemCall.Result(new UserPointer<LimitPair>(oldAddress).Write(call.Process, in old));
    }
}
