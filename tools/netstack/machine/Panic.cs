// In place of kernel/machine's: a broken invariant ends the process with its reason on the error stream and SIGILL.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Ends the process with an explanation.</summary>
public static unsafe class Panic
{
    /// <summary>Ends the process. The reason reads "Class.Method: what was broken".</summary>
    [DoesNotReturn]
    public static void Because(string reason)
    {
        Write("PANIC "u8);
        for (int index = 0; index < reason.Length; index++)
        {
            byte letter = (byte)reason[index];
            WriteError(&letter, 1);
        }

        Write("\n"u8);
        EndProcess();
    }

    private static void Write(ReadOnlySpan<byte> text)
    {
        fixed (byte* start = text)
        {
            WriteError(start, (nuint)text.Length);
        }
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("WriteError")]
    private static extern void WriteError(byte* text, nuint length);

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("EndProcess")]
    private static extern void EndProcess();
}
