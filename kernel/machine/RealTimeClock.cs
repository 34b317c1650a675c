// The CMOS clock (MC146818 datasheet): date and time in BCD, read when no update is in progress.

namespace Lego.Kernel;

/// <summary>Reads the date at boot.</summary>
internal static class RealTimeClock
{
    private const ushort IndexPort = 0x70;
    private const ushort DataPort = 0x71;
    private const byte StatusA = 10;
    private const byte StatusB = 11;
    private const byte UpdateInProgress = 0x80;
    private const byte BinaryMode = 4;
    private const ulong SecondsPerDay = 86_400;

    internal static ulong ReadUnixSeconds()
    {
        ulong previous = ReadOnce();
        for (int attempt = 0; attempt < 8; attempt++)
        {
            ulong now = ReadOnce();
            if (now == previous)
            {
                break;
            }

            previous = now;
        }

        return previous;
    }

    private static ulong ReadOnce()
    {
        for (int spin = 0; spin < 100_000 && (ReadRegister(StatusA) & UpdateInProgress) != 0; spin++)
        {
            Cpu.Pause();
        }

        bool binary = (ReadRegister(StatusB) & BinaryMode) != 0;
        ulong second = Decode(ReadRegister(0), binary);
        ulong minute = Decode(ReadRegister(2), binary);
        ulong hour = Decode(ReadRegister(4), binary);
        ulong day = Decode(ReadRegister(7), binary);
        ulong month = Decode(ReadRegister(8), binary);
        ulong year = 2000 + Decode(ReadRegister(9), binary);
        return (DaysSince1970(year, month, day) * SecondsPerDay) + (hour * 3600) + (minute * 60) + second;
    }

    /// <summary>Days from civil (Howard Hinnant's algorithm for the proleptic Gregorian calendar).</summary>
    private static ulong DaysSince1970(ulong year, ulong month, ulong day)
    {
        if (month <= 2)
        {
            year--;
        }

        ulong era = year / 400;
        ulong yearOfEra = year - (era * 400);
        ulong dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5) + day - 1;
        ulong dayOfEra = (yearOfEra * 365) + (yearOfEra / 4) - (yearOfEra / 100) + dayOfYear;
        return (era * 146_097) + dayOfEra - 719_468;
    }

    private static ulong Decode(byte value, bool binary) => binary ? value : (ulong)(((value >> 4) * 10) + (value & 15));

    private static byte ReadRegister(byte index)
    {
        Ports.Out8(IndexPort, index);
        return Ports.In8(DataPort);
    }
}
