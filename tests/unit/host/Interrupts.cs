// Host stand-in for kernel/machine: interrupt vectors. A test raises a vector by calling its handler.

using System;
using System.Collections.Generic;

namespace Lego.Kernel;

public static class Interrupts
{
    private const byte FirstVector = 0x40;

    [ThreadStatic]
    private static List<InterruptHandler>? s_handlers;

    [ThreadStatic]
    private static Dictionary<int, byte>? s_lines;

    public static byte AllocateVector(InterruptHandler handler)
    {
        s_handlers ??= [];
        s_handlers.Add(handler);
        return (byte)(FirstVector + s_handlers.Count - 1);
    }

    public static (ulong Address, uint Data) MsiMessage(byte vector) => (0xFEE0_0000, vector);

    public static void RouteIoApic(int line, byte vector, bool level) => (s_lines ??= [])[line] = vector;

    /// <summary>Runs the handler of the vector that the line is routed to.</summary>
    public static void RaiseLine(int line) => s_handlers![s_lines![line] - FirstVector].OnInterrupt();
}
