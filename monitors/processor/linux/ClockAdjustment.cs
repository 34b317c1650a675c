// adjtimex, clock_adjtime (adjtimex(2)): the rack's clock is its host's, which keeps it right; so what there is to read is a clock that
// nobody has steered, and steering it is EPERM. Nothing here blocks except copies.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about the steering of clocks.</summary>
public static unsafe class ClockAdjustment
{
    private const ulong RealTime = 0;
    private const ulong LastClock = 11;
    /// <summary>STA_UNSYNC: nobody here knows how well the host keeps its time.</summary>
    private const int Unsynchronized = 0x40;
    /// <summary>TIME_ERROR, what an unsynchronized clock's calls return.</summary>
    private const long StateUnsynchronized = 5;
    private const long TickMicroseconds = 10_000;
    private const long MaxErrorMicroseconds = 16_000_000;
    private const ulong SecondNs = 1_000_000_000;

    /// <summary>struct timex, 208 bytes; without the fields of a signal that seconds are told by.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 208)]
    private struct Record
    {
        internal uint Modes;
        internal uint Padding0;
        internal long Offset;
        internal long Frequency;
        internal long MaxError;
        internal long EstimatedError;
        internal int Status;
        internal uint Padding1;
        internal long Constant;
        internal long Precision;
        internal long Tolerance;
        internal TimeSpecification Time;
        internal long Tick;
    }

    [SystemCall(159, "adjtimex", Support.Partial, "reads; steering is EPERM: the rack's time is its host's")]
    internal static long Adjust(ref SystemCall call) => Adjust(ref call, call.A0);

    [SystemCall(305, "clock_adjtime", Support.Partial, "as adjtimex")]
    internal static long AdjustClock(ref SystemCall call) => call.A0 == RealTime
        ? Adjust(ref call, call.A1)
        : SystemCall.Fail(call.A0 <= LastClock ? Errno.EOPNOTSUPP : Errno.EINVAL);

    private static long Adjust(ref SystemCall call, ulong address)
    {
        UserPointer<Record> pointer = new(address);
        Errno error = pointer.Read(call.Process, out Record record);
        if (error != Errno.None || record.Modes != 0)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EPERM);
        }

        ulong now = Clock.UnixTimeNs();
        record = new Record
        {
            MaxError = MaxErrorMicroseconds,
            EstimatedError = MaxErrorMicroseconds,
            Status = Unsynchronized,
            Constant = 2,
            Precision = 1,
            Tolerance = 32_768_000,
            Time = new TimeSpecification { Seconds = (long)(now / SecondNs), Nanoseconds = (long)(now % SecondNs / 1000) },
            Tick = TickMicroseconds,
        };
        error = pointer.Write(call.Process, in record);
        return SystemCall.Result(error, StateUnsynchronized);
    }
}
