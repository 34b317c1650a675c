// Log lines of a component: "[seconds.micros] name level: text" on the first serial port, where the rack tool keeps them.
// Never allocates, never blocks; may be called anywhere, also while a fault is handled.

using System;

namespace Lego.Kernel;

/// <summary>Writes log lines.</summary>
public static class Log
{
    private const int MaxNameBytes = 16;

    /// <summary>The component's name that begins each line: name= of the boot line.</summary>
    public static ReadOnlySpan<byte> Name
    {
        get
        {
            ReadOnlySpan<byte> name = BootArguments.TryGet("name"u8, out ReadOnlySpan<byte> value) ? value : "?"u8;
            return name.Slice(0, Math.Min(name.Length, MaxNameBytes));
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
