// Host stand-in for kernel/machine: the boot line of this test's thread.

using System;

namespace Lego.Kernel;

/// <summary>The text; a test sets it.</summary>
public static class BootLine
{
    [ThreadStatic]
    private static byte[]? s_text;

    public static ReadOnlySpan<byte> Text => s_text;

    public static void Use(byte[] text) => s_text = text;
}
