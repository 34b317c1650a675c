// Time: the time stamp counter, calibrated at boot against the 8254 timer (Intel 8254 datasheet, mode 0 on channel 2, gated by port 0x61),
// and the date from the CMOS clock (MC146818).

using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Monotonic and real time.</summary>
public static class Clock
{
    private const ulong NsPerSecond = 1_000_000_000;
    private const uint TimerHz = 1_193_182;
    private const ushort TimerChannel2 = 0x42;
    private const ushort TimerControl = 0x43;
    private const ushort GatePort = 0x61;
    private const byte Channel2Mode0 = 0xB0;
    private const byte OutputHigh = 0x20;
    private const byte LatchChannel2 = 0x80;
    private const uint CalibrationTicks = TimerHz / 100;

    private static ulong s_bootTicks;
    private static ulong s_nsPerTickFixed32;
    private static ulong s_bootUnixNs;

    /// <summary>Frequency of the time stamp counter.</summary>
    public static ulong TicksPerSecond { get; private set; }

    /// <summary>Local APIC timer counts during calibration, scaled to a second (0 until calibrated).</summary>
    internal static ulong ApicTicksPerSecond { get; private set; }

    /// <summary>Nanoseconds since boot.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong NowNs() => TicksToNs(Cpu.Timestamp() - s_bootTicks);

    /// <summary>Nanoseconds since 1970-01-01 UTC.</summary>
    public static ulong UnixTimeNs() => s_bootUnixNs + NowNs();

    /// <summary>Converts a counter difference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong TicksToNs(ulong ticks) =>
        ((ticks >> 32) * s_nsPerTickFixed32) + (((ticks & 0xFFFFFFFF) * s_nsPerTickFixed32) >> 32);

    /// <summary>
    /// Reads all three counters together twice, at least 10 ms apart. A machine's host thread may be put aside at any point, so each
    /// reading is the quickest of several, and a pause long enough for the timer to run out starts the measurement again.
    /// </summary>
    internal static void Calibrate()
    {
        CounterReading first;
        CounterReading second;
        uint elapsed;
        do
        {
            Ports.Out8(GatePort, (byte)((Ports.In8(GatePort) & 0xFC) | 1));
            Ports.Out8(TimerControl, Channel2Mode0);
            Ports.Out8(TimerChannel2, 0xFF);
            LocalApic.StartCalibration();
            Ports.Out8(TimerChannel2, 0xFF);
            first = CounterReading.TakeQuickest();
            do
            {
                second = CounterReading.TakeQuickest();
                elapsed = (ushort)(first.Timer - second.Timer);
            }
            while (elapsed < CalibrationTicks && !TimerHasRunOut());
        }
        while (TimerHasRunOut());
        LocalApic.StopCalibration();
        TicksPerSecond = (second.Ticks - first.Ticks) * TimerHz / elapsed;
        ApicTicksPerSecond = (ulong)(first.Apic - second.Apic) * TimerHz / elapsed;
        s_nsPerTickFixed32 = (NsPerSecond << 32) / TicksPerSecond;
        s_bootTicks = Cpu.Timestamp();
        s_bootUnixNs = RealTimeClock.ReadUnixSeconds() * NsPerSecond;
        Vdso.Publish(Startup.Frames,
            new VdsoData { BootTicks = s_bootTicks, NsPerTickFixed32 = s_nsPerTickFixed32, BootUnixNs = s_bootUnixNs });
    }

    private static bool TimerHasRunOut() => (Ports.In8(GatePort) & OutputHigh) != 0;

    /// <summary>The three counters at one moment; the timer and the APIC count down.</summary>
    private struct CounterReading
    {
        private const int Tries = 16;

        internal ulong Ticks;
        internal ushort Timer;
        internal uint Apic;
        private ulong _durationTicks;

        internal static CounterReading TakeQuickest()
        {
            CounterReading best = Take();
            for (int tried = 1; tried < Tries; tried++)
            {
                CounterReading next = Take();
                if (next._durationTicks < best._durationTicks)
                {
                    best = next;
                }
            }

            return best;
        }

        private static CounterReading Take()
        {
            CounterReading reading;
            reading.Ticks = Cpu.Timestamp();
            Ports.Out8(TimerControl, LatchChannel2);
            reading.Apic = LocalApic.CurrentTicks;
            reading._durationTicks = Cpu.Timestamp() - reading.Ticks;
            byte low = Ports.In8(TimerChannel2);
            reading.Timer = (ushort)(low | (Ports.In8(TimerChannel2) << 8));
            return reading;
        }
    }
}
