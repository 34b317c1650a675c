// The registers that a program has besides the general ones, as the CPU stores them: x87 and SSE as FXSAVE64 does (SDM vol. 1, 10.5.1), and
// behind them, where the CPU has XSAVE, a header and the upper halves of the YMM registers in XSAVE's standard form (SDM vol. 1, 13.4).
// Linux hands the same bytes to signal handlers (struct _xstate, uapi/asm/sigcontext.h), so this is the ABI as well. AVX's place behind the
// header is the same on all CPUs; ExtendedState checks it at boot.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>x87, SSE and AVX state.</summary>
[StructLayout(LayoutKind.Explicit, Size = MaxBytes)]
public unsafe struct ExtendedStateArea
{
    /// <summary>All of it, and what FXSAVE knows.</summary>
    public const int MaxBytes = 832;
    public const int LegacyBytes = 512;
    public const int XmmBytes = 256;
    public const int HeaderBytes = 64;
    public const int UpperHalvesOffset = LegacyBytes + HeaderBytes;
    public const int UpperHalvesBytes = 256;

    /// <summary>XSAVE's; FXSAVE wants 16.</summary>
    public const int Alignment = 64;

    /// <summary>State components: bits of XCR0 and of the header (SDM vol. 1, 13.1).</summary>
    public const ulong X87 = 1;
    public const ulong Sse = 2;
    public const ulong Avx = 4;

    public const ushort InitialControlWord = 0x37F;
    public const uint InitialMxcsr = 0x1F80;

    /// <summary>FP_XSTATE_MAGIC1: the program may rely on what follows the legacy part. FP_XSTATE_MAGIC2 stands behind it.</summary>
    public const uint FrameMagic = 0x46505853;
    public const uint FrameEndMagic = 0x46505845;
    public const int FrameEndBytes = 4;

    [FieldOffset(0)] public ushort ControlWord;
    [FieldOffset(24)] public uint Mxcsr;
    /// <summary>The MXCSR bits that the CPU has; 0 on the first ones with SSE.</summary>
    [FieldOffset(28)] public uint MxcsrMask;
    [FieldOffset(160)] public fixed byte Xmm[XmmBytes];

    // struct _fpx_sw_bytes: what the kernel tells a signal handler, in bytes that the CPU leaves alone.
    [FieldOffset(464)] public uint Magic;
    /// <summary>Bytes from here to the end of the second magic number.</summary>
    [FieldOffset(468)] public uint ExtendedBytes;
    /// <summary>Components that are in the frame.</summary>
    [FieldOffset(472)] public ulong FrameComponents;
    /// <summary>Bytes without the second magic number.</summary>
    [FieldOffset(480)] public uint StateBytes;

    // The header of XSAVE (SDM vol. 1, 13.4.2).
    /// <summary>XSTATE_BV: components that are not in their initial state.</summary>
    [FieldOffset(512)] public ulong InUse;
    /// <summary>XCOMP_BV and the next word are zero in the standard form.</summary>
    [FieldOffset(520)] public ulong Compaction;
    [FieldOffset(528)] public ulong Reserved;
    [FieldOffset(576)] public fixed byte UpperHalves[UpperHalvesBytes];

    /// <summary>Makes it the state that a program starts with.</summary>
    public void Reset()
    {
        this = default;
        ControlWord = InitialControlWord;
        Mxcsr = InitialMxcsr;
    }
}

/// <summary>Room for a state wherever alignment is not to be had: on a stack, in an object of a slab.</summary>
public unsafe struct ExtendedStateBuffer
{
    private fixed byte _bytes[ExtendedStateArea.MaxBytes + ExtendedStateArea.Alignment - 8];

    /// <summary>The aligned area in it; the buffer stays where it is while this is used.</summary>
    public ExtendedStateArea* Area
    {
        get
        {
            fixed (byte* start = _bytes)
            {
                return (ExtendedStateArea*)(((ulong)start + ExtendedStateArea.Alignment - 1) & ~(ulong)(ExtendedStateArea.Alignment - 1));
            }
        }
    }
}
