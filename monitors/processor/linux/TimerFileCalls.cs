// timerfd_create, timerfd_settime, timerfd_gettime and signalfd (timerfd_create(2), signalfd(2)). Nothing here blocks but copies.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that make files of timers and signals.</summary>
public static unsafe class TimerFileCalls
{
    private const uint AbsoluteTime = 1;
    private const uint CancelOnSet = 2;
    private const int SignalSetBytes = 8;
    private const OpenFlags CreationFlags = OpenFlags.CloseOnExec | OpenFlags.NonBlocking;

    /// <summary>struct itimerspec.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct TimerSetting
    {
        internal TimeSpecification Interval;
        internal TimeSpecification Value;
    }

    [SystemCall(283, "timerfd_create", Support.Full)]
    internal static long Create(ref SystemCall call)
    {
        const ulong RealTime = 0;
        const ulong Monotonic = 1;
        const ulong BootTime = 7;
        const ulong RealTimeAlarm = 8;
        const ulong BootTimeAlarm = 9;
        OpenFlags flags = (OpenFlags)(uint)call.A1;
        ulong clock = (uint)call.A0;
        bool isAlarm = clock is RealTimeAlarm or BootTimeAlarm;
        if ((flags & ~CreationFlags) != 0 || !(clock is RealTime or Monotonic or BootTime || isAlarm))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (isAlarm && call.Process->EffectiveUserId != 0)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        OpenFile* file = call.Files.Timers.Open(clock is RealTime or RealTimeAlarm, flags & OpenFlags.NonBlocking);
        return file == null
            ? SystemCall.Fail(Errno.ENOMEM)
            : DescriptorCalls.Install(call.Process, file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    [SystemCall(286, "timerfd_settime", Support.Full)]
    internal static long Set(ref SystemCall call)
    {
        Errno error = new UserPointer<TimerSetting>(call.A2).Read(call.Process, out TimerSetting setting);
        bool isValid = setting.Interval.IsValid && setting.Value.IsValid && ((uint)call.A1 & ~(AbsoluteTime | CancelOnSet)) == 0;
        error = error == Errno.None && !isValid ? Errno.EINVAL : error;
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        error = error == Errno.None ? Check(in descriptor) : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        FileTimer* timer = descriptor.File->Timer;
        TimerSetting before = SettingOf(call.Files, timer);
        ulong valueNs = setting.Value.TotalNs;
        // The rack's time is its host's and is never set: there is nothing that CancelOnSet could tell of.
        ulong dueNs = valueNs;
        if (valueNs != 0 && ((uint)call.A1 & AbsoluteTime) == 0)
        {
            dueNs = TimeSpecification.DeadlineAfter(valueNs);
        }
        else if (valueNs != 0 && timer->CountsRealTime)
        {
            ulong bootNs = Clock.UnixTimeNs() - Clock.NowNs();
            dueNs = valueNs > bootNs ? valueNs - bootNs : 1;
        }

        call.Files.Timers.Set(timer, dueNs, setting.Interval.TotalNs);
        return call.A3 == 0 ? 0 : SystemCall.Result(new UserPointer<TimerSetting>(call.A3).Write(call.Process, in before));
    }

    [SystemCall(287, "timerfd_gettime", Support.Full)]
    internal static long Get(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        Errno error = Check(in descriptor);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        TimerSetting setting = SettingOf(call.Files, descriptor.File->Timer);
        return SystemCall.Result(new UserPointer<TimerSetting>(call.A1).Write(call.Process, in setting));
    }

    [SystemCall(282, "signalfd", Support.Full)]
    internal static long MakeSignalFile(ref SystemCall call) => MakeSignalFile(ref call, OpenFlags.ReadOnly);

    [SystemCall(289, "signalfd4", Support.Full)]
    internal static long MakeSignalFile4(ref SystemCall call) => MakeSignalFile(ref call, (OpenFlags)(uint)call.A3);

    private static long MakeSignalFile(ref SystemCall call, OpenFlags flags)
    {
        ulong mask = 0;
        Errno error = call.A2 != SignalSetBytes || (flags & ~CreationFlags) != 0 ? Errno.EINVAL
            : new UserPointer<ulong>(call.A1).Read(call.Process, out mask);
        mask &= ~Signals.Unblockable;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if ((int)call.A0 == -1)
        {
            OpenFile* file = call.Files.SignalFiles.Open(mask, flags & OpenFlags.NonBlocking);
            return file == null
                ? SystemCall.Fail(Errno.ENOMEM)
                : DescriptorCalls.Install(call.Process, file, (flags & OpenFlags.CloseOnExec) != 0);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->Kind != FileKind.Signal)
        {
            return SystemCall.Fail(descriptor.IsBad || descriptor.File->IsPathOnly ? Errno.EBADF : Errno.EINVAL);
        }

        call.Files.SignalFiles.Change(descriptor.File->SignalSet, mask);
        return (int)call.A0;
    }

    private static Errno Check(in Descriptor descriptor) =>
        descriptor.IsBad || descriptor.File->IsPathOnly ? Errno.EBADF
        : descriptor.File->Kind != FileKind.Timer ? Errno.EINVAL : Errno.None;

    private static TimerSetting SettingOf(FileSystem files, FileTimer* timer) => new()
    {
        Value = TimeSpecification.FromNs(files.Timers.RemainingNs(timer)),
        Interval = TimeSpecification.FromNs(timer->Timer.PeriodNs),
    };
}
