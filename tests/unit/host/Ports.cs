// Host stand-in for kernel/machine: I/O ports. A test plugs in a device; without one, ports read as all ones, as an empty bus does.

using System;

namespace Lego.Kernel;

/// <summary>A device that answers at ports.</summary>
public abstract class FakePorts
{
    public abstract uint In(ushort port, int widthBytes);

    public abstract void Out(ushort port, int widthBytes, uint value);
}

public static class Ports
{
    /// <summary>What answers on this test's thread.</summary>
    [ThreadStatic]
    public static FakePorts? Device;

    public static byte In8(ushort port) => (byte)(Device?.In(port, 1) ?? byte.MaxValue);

    public static ushort In16(ushort port) => (ushort)(Device?.In(port, 2) ?? ushort.MaxValue);

    public static uint In32(ushort port) => Device?.In(port, 4) ?? uint.MaxValue;

    public static void Out8(ushort port, byte value) => Device?.Out(port, 1, value);

    public static void Out16(ushort port, ushort value) => Device?.Out(port, 2, value);

    public static void Out32(ushort port, uint value) => Device?.Out(port, 4, value);
}
