// Log lines of a component: "[seconds.micros] name level: text" on the first serial port, where the rack tool keeps them.
// Never allocates, never blocks; may be called anywhere, also while a fault is handled.

using System;

namespace Lego.Kernel;

/// <summary>Writes log lines.</summary>
public static unsafe class Log
{
    private const int MaxNameBytes = 16;

    private static NameBuffer s_name;
    private static int s_nameLength;

    private struct NameBuffer
    {
        internal fixed byte Bytes[MaxNameBytes];
    }

    /// <summary>The component's name that begins each line.</summary>
    public static ReadOnlySpan<byte> Name
    {
        get
        {
            fixed (byte* bytes = s_name.Bytes)
            {
                return new ReadOnlySpan<byte>(bytes, s_nameLength);
            }
        }
    }

    /// <summary>Sets the component's name; boot time.</summary>
    public static void SetName(ReadOnlySpan<byte> name)
    {
        s_nameLength = Math.Min(name.Length, MaxNameBytes);
        for (int index = 0; index < s_nameLength; index++)
        {
            s_name.Bytes[index] = name[index];
        }
    }

    public static void Info(ref LogLine line) => Write("info"u8, ref line);

    public static void Warn(ref LogLine line) => Write("warning"u8, ref line);

    public static void Error(ref LogLine line) => Write("error"u8, ref line);

    private static void Write(ReadOnlySpan<byte> level, ref LogLine line)
    {
        ulong micros = Clock.NowNs() / 1000;
        LogLine prefix = new(0, 0);
        prefix.AppendLiteral("[");
        prefix.AppendFormatted(micros / 1_000_000);
        prefix.AppendLiteral(".");
        prefix.AppendFormatted(micros % 1_000_000, "d6");
        prefix.AppendLiteral("] ");
        prefix.AppendFormatted(Name);
        prefix.AppendLiteral(" ");
        prefix.AppendFormatted(level);
        prefix.AppendLiteral(": ");
        LogOutput.Write(prefix.Text);
        LogOutput.Write(line.Text);
        LogOutput.Write("\n"u8);
    }
}
