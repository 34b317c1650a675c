// The end of a component: a broken invariant of its own code. Prints "PANIC" lines with a backtrace on the log port, then ends QEMU with a
// status that the rack tool knows (debug exit 0x20 -> status 65). Uses nothing that could itself be broken: no allocation, no locks.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime;

namespace Lego.Kernel;

/// <summary>Stops the machine with an explanation.</summary>
public static unsafe class Panic
{
    private const int MaxFrames = 24;

    private static bool s_panicking;

    /// <summary>Ends this component. The reason reads "Class.Method: what was broken".</summary>
    [DoesNotReturn]
    public static void Because(string reason)
    {
        Begin();
        LogLine line = new(0, 0);
        line.AppendLiteral(reason);
        Finish(ref line, Cpu.FramePointer());
    }

    internal static void BecauseOfFault(UserContext* context, int vector, ulong address)
    {
        Begin();
        LogLine line = new(0, 0);
        line.AppendLiteral(vector switch
        {
            Traps.PageFault => "page fault in the kernel",
            Traps.GeneralProtection => "general protection fault in the kernel",
            Traps.DoubleFault => "double fault (kernel stack overflow?)",
            Traps.InvalidOpcode => "invalid instruction in the kernel",
            _ => "exception in the kernel",
        });
        line.AppendLiteral(" (vector ");
        line.AppendFormatted(vector);
        line.AppendLiteral(", error ");
        line.AppendFormatted(context->ErrorCode, "x");
        line.AppendLiteral(") at address ");
        line.AppendFormatted(address, "x");
        line.AppendLiteral(", instruction ");
        line.AppendFormatted(context->Rip, "x");
        line.AppendLiteral(" ");
        Symbols.Append(ref line, context->Rip);
        Finish(ref line, (ulong*)context->Rbp);
    }

    [RuntimeExport("StackCookieDamaged")]
    private static void StackCookieDamaged() => Because("stack cookie damaged: a buffer on the stack was overrun");

    private static void Begin()
    {
        if (s_panicking)
        {
            DebugExit.Panicked();
        }

        s_panicking = true;
    }

    [DoesNotReturn]
    private static void Finish(ref LogLine reason, ulong* framePointer)
    {
        LogOutput.Write("PANIC "u8);
        LogOutput.Write(Log.Name);
        LogOutput.Write(": "u8);
        LogOutput.Write(reason.Text);
        LogOutput.Write("\n"u8);
        for (int depth = 0; depth < MaxFrames && IsKernelStack(framePointer); depth++)
        {
            ulong returnAddress = framePointer[1];
            LogLine line = new(0, 0);
            line.AppendLiteral("PANIC   at ");
            line.AppendFormatted(returnAddress, "x");
            line.AppendLiteral(" ");
            Symbols.Append(ref line, returnAddress);
            line.AppendLiteral("\n");
            LogOutput.Write(line.Text);
            framePointer = (ulong*)framePointer[0];
        }

        DebugExit.Panicked();
    }

    private static bool IsKernelStack(ulong* framePointer) =>
        ((ulong)framePointer & 7) == 0 && (ulong)framePointer >= PhysicalAddress.DirectMapBase
            && KernelMap.IsMapped((ulong)framePointer + 8);
}
