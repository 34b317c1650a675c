// QEMU's isa-debug-exit device: writing v ends the emulator with status (v << 1) | 1, which is how the rack tool learns how a machine
// ended.

using System.Diagnostics.CodeAnalysis;

namespace Lego.Kernel;

/// <summary>Ends the machine.</summary>
public static class DebugExit
{
    private const ushort Port = 0xF4;
    private const uint OrderlyValue = 0x10;
    private const uint UnwrittenValue = 0x11;
    private const uint UnusableValue = 0x1C;
    private const uint PanicValue = 0x20;

    /// <summary>An orderly end: status 33.</summary>
    [DoesNotReturn]
    public static void Orderly() => End(OrderlyValue);

    /// <summary>An end that was asked for, but bytes that somebody wrote are lost: status 35. The log says which.</summary>
    [DoesNotReturn]
    public static void Unwritten() => End(UnwrittenValue);

    /// <summary>The machine cannot do its work with what it was given (its disk): status 57. The log says why.</summary>
    [DoesNotReturn]
    public static void Unusable() => End(UnusableValue);

    /// <summary>A failure: status 65.</summary>
    [DoesNotReturn]
    public static void Panicked() => End(PanicValue);

    [DoesNotReturn]
    private static void End(uint value)
    {
        Ports.Out32(Port, value);
        while (true)
        {
            Cpu.HaltForever();
        }
    }
}
