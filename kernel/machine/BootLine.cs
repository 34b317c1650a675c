// The machine's boot line: words that the rack tool gave to QEMU (-append). Set once at start-up; kernel/text/BootArguments.cs takes it
// apart.

using System;

namespace Lego.Kernel;

/// <summary>The text.</summary>
public static unsafe class BootLine
{
    private static byte* s_start;
    private static int s_lengthBytes;

    public static ReadOnlySpan<byte> Text => new(s_start, s_lengthBytes);

    /// <summary>Sets the line, which must stay where it is.</summary>
    internal static void Use(byte* line, int lengthBytes)
    {
        s_start = line;
        s_lengthBytes = lengthBytes;
    }
}
