// Host stand-in for kernel/machine: a program's floating-point state.

namespace Lego.Kernel;

/// <summary>Remembers nothing: host tests run no programs.</summary>
public static unsafe class FloatingPoint
{
    public const int StateBytes = 512;

    public static void Save(void* state) => new System.Span<byte>(state, StateBytes).Clear();

    public static void Restore(void* state)
    {
    }
}
