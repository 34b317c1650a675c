// Which of a program's registers beyond the general ones this machine keeps, and the instructions that store and load them: XSAVE and
// XRSTOR with x87, SSE and AVX where the CPU has them (SDM vol. 1, 13), FXSAVE and FXRSTOR elsewhere. AVX-512 and keys of pages stay off:
// XCR0 says so to programs that ask. The kernel itself uses XMM0 and XMM8 only, by instructions that leave upper halves alone: everything
// but these two is in the CPU while the program is in the kernel, and these two are in its UserContext.

namespace Lego.Kernel;

/// <summary>Stores and loads the program's registers.</summary>
public static unsafe class ExtendedState
{
    private const ulong Wanted = ExtendedStateArea.X87 | ExtendedStateArea.Sse | ExtendedStateArea.Avx;
    private const uint FeatureLeaf = 1;
    private const uint StateLeaf = 0xD;
    private const uint AvxLeaf = 2;
    private const int XsaveBit = 26;
    private const int AvxBit = 28;
    private const ulong Cr4OsXsave = 1 << 18;
    private const uint DefaultMxcsrMask = 0xFFBF;

    private static bool s_usesXsave;
    private static uint s_mxcsrMask;

    /// <summary>Components that are kept.</summary>
    public static ulong Components => s_usesXsave ? Wanted : ExtendedStateArea.X87 | ExtendedStateArea.Sse;

    /// <summary>Bytes of an area that are used.</summary>
    public static int Bytes => s_usesXsave ? ExtendedStateArea.MaxBytes : ExtendedStateArea.LegacyBytes;

    /// <summary>Bits that MXCSR has; loading others faults.</summary>
    public static uint MxcsrMask => s_mxcsrMask;

    /// <summary>Stores what the CPU holds.</summary>
    [NoBlock]
    [NoAllocation]
    public static void Store(ExtendedStateArea* area)
    {
        if (s_usesXsave)
        {
            Cpu.StoreExtendedState(area);
        }
        else
        {
            Cpu.StoreFloatingPoint(area);
        }
    }

    /// <summary>Loads a state. Reserved bits in MXCSR and in the header must be clear, or the CPU faults.</summary>
    [NoBlock]
    [NoAllocation]
    public static void Load(ExtendedStateArea* area)
    {
        if (s_usesXsave)
        {
            Cpu.LoadExtendedState(area);
        }
        else
        {
            Cpu.LoadFloatingPoint(area);
        }
    }

    /// <summary>Chooses on the first CPU, and lets this one do what was chosen.</summary>
    internal static void EnableOnThisCpu()
    {
        if (Cpu.Index == 0)
        {
            s_usesXsave = CanKeepAvx();
            ExtendedStateBuffer buffer = default;
            Cpu.StoreFloatingPoint(buffer.Area);
            s_mxcsrMask = buffer.Area->MxcsrMask != 0 ? buffer.Area->MxcsrMask : DefaultMxcsrMask;
        }

        if (s_usesXsave)
        {
            Cpu.WriteCr4(Cpu.ReadCr4() | Cr4OsXsave);
            Cpu.WriteExtendedControl(Wanted);
        }
    }

    /// <summary>Without AVX XSAVE would keep what FXSAVE keeps.</summary>
    private static bool CanKeepAvx()
    {
        uint* registers = stackalloc uint[4];
        Cpu.Identify(FeatureLeaf, 0, registers);
        if (((registers[2] >> XsaveBit) & 1) == 0 || ((registers[2] >> AvxBit) & 1) == 0)
        {
            return false;
        }

        Cpu.Identify(StateLeaf, 0, registers);
        if ((registers[0] & Wanted) != Wanted)
        {
            return false;
        }

        Cpu.Identify(StateLeaf, AvxLeaf, registers);
        return registers[0] == ExtendedStateArea.UpperHalvesBytes && registers[1] == ExtendedStateArea.UpperHalvesOffset;
    }
}
