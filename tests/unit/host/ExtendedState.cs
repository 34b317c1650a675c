// Host stand-in for kernel/machine: the registers of programs beyond the general ones.

namespace Lego.Kernel;

/// <summary>Remembers nothing: host tests run no programs. The larger form, so that tests see all of a signal frame.</summary>
public static unsafe class ExtendedState
{
    public const ulong Components = ExtendedStateArea.X87 | ExtendedStateArea.Sse | ExtendedStateArea.Avx;
    public const int Bytes = ExtendedStateArea.MaxBytes;
    public const uint MxcsrMask = 0xFFFF;

    public static void Store(ExtendedStateArea* area) => area->Reset();

    public static void Load(ExtendedStateArea* area)
    {
    }
}
