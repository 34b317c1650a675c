// The x87 and SSE state that the CPU holds for the program of the current thread, in the 512-byte form of FXSAVE64 (SDM vol. 1, 10.5.1). The kernel
// itself uses XMM registers only, so control words and x87 registers are always the program's; its XMM registers are in its UserContext.

namespace Lego.Kernel;

/// <summary>Reads and sets the program's floating-point state.</summary>
public static unsafe class FloatingPoint
{
    /// <summary>Bytes of a state.</summary>
    public const int StateBytes = 512;

    private const int Alignment = 16;

    /// <summary>Stores the state; any alignment.</summary>
    public static void Save(void* state)
    {
        byte* area = stackalloc byte[StateBytes + Alignment];
        area = Align(area);
        Cpu.SaveFloatingPoint(area);
        PageOperations.CopyBytes(state, area, StateBytes);
    }

    /// <summary>Loads a state; any alignment. Reserved MXCSR bits must be clear, or the CPU faults.</summary>
    public static void Restore(void* state)
    {
        byte* area = stackalloc byte[StateBytes + Alignment];
        area = Align(area);
        PageOperations.CopyBytes(area, state, StateBytes);
        Cpu.RestoreFloatingPoint(area);
    }

    private static byte* Align(byte* address) => (byte*)(((ulong)address + Alignment - 1) & ~(ulong)(Alignment - 1));
}
