// Port input and output.

using System.Runtime;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>The I/O port space.</summary>
public static class Ports
{
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("In8")]
    public static extern byte In8(ushort port);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("In16")]
    public static extern ushort In16(ushort port);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("In32")]
    public static extern uint In32(ushort port);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("Out8")]
    public static extern void Out8(ushort port, byte value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("Out16")]
    public static extern void Out16(ushort port, ushort value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("Out32")]
    public static extern void Out32(ushort port, uint value);
}
