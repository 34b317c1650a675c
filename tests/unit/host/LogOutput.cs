// Host stand-in for kernel/machine: where log lines go.

using System;
using System.Diagnostics;
using System.Text;

namespace Lego.Kernel;

/// <summary>Log lines appear in a debugger's output.</summary>
public static class LogOutput
{
    public static void Write(ReadOnlySpan<byte> text) => Debug.Write(Encoding.ASCII.GetString(text));
}
