// One processor's instructions, as functions (Instructions.S). Only kernel/machine may call the privileged ones.

using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lego.Kernel;

/// <summary>The CPU that runs this code.</summary>
public static unsafe class Cpu
{
    internal const uint EferMsr = 0xC0000080;
    internal const uint StarMsr = 0xC0000081;
    internal const uint LstarMsr = 0xC0000082;
    internal const uint FmaskMsr = 0xC0000084;
    internal const uint FsBaseMsr = 0xC0000100;
    internal const uint GsBaseMsr = 0xC0000101;
    internal const uint KernelGsBaseMsr = 0xC0000102;

    /// <summary>What CPUID leaf 1 says in EDX, as Linux hands it to programs (AT_HWCAP).</summary>
    public static uint Features
    {
        get
        {
            uint* results = stackalloc uint[4];
            Identify(1, 0, results);
            return results[3];
        }
    }

    /// <summary>Number of this CPU, 0 for the one that booted.</summary>
    public static int Index => Local->Index;

    /// <summary>This CPU's private data.</summary>
    public static CpuLocal* Local => CpuLocalPointer();

    /// <summary>A hint that this is a spin loop.</summary>
    public static void Pause() => X86Base.Pause();

    /// <summary>The time stamp counter, in its own ticks.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ReadTimestamp")]
    public static extern ulong Timestamp();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CpuLocalPointer")]
    private static extern CpuLocal* CpuLocalPointer();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("DisableInterrupts")]
    internal static extern void DisableInterrupts();

    /// <summary>Enables interrupts and halts in one step; interrupts are off again when it returns.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("HaltWithInterrupts")]
    internal static extern void HaltWithInterrupts();

    /// <summary>Lets pending interrupts in.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("AllowInterruptsOnce")]
    internal static extern void AllowInterruptsOnce();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("HaltForever")]
    internal static extern void HaltForever();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ReadMsr")]
    internal static extern ulong ReadMsr(uint register);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("WriteMsr")]
    internal static extern void WriteMsr(uint register, ulong value);

    /// <summary>results: EAX, EBX, ECX, EDX.</summary>
    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("Cpuid")]
    public static extern void Identify(uint leaf, uint subleaf, uint* results);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ReadCr2")]
    internal static extern ulong ReadCr2();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ReadCr3")]
    internal static extern ulong ReadCr3();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("WriteCr3")]
    internal static extern void WriteCr3(ulong value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ReadCr4")]
    internal static extern ulong ReadCr4();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("WriteCr4")]
    internal static extern void WriteCr4(ulong value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("InvalidatePage")]
    internal static extern void InvalidatePage(ulong address);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LoadTables")]
    internal static extern void LoadTables(void* gdtPointer, void* idtPointer, ushort tssSelector);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("FramePointer")]
    internal static extern ulong* FramePointer();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("StoreFloatingPoint")]
    internal static extern void StoreFloatingPoint(ExtendedStateArea* area);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LoadFloatingPoint")]
    internal static extern void LoadFloatingPoint(ExtendedStateArea* area);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("StoreExtendedState")]
    internal static extern void StoreExtendedState(ExtendedStateArea* area);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LoadExtendedState")]
    internal static extern void LoadExtendedState(ExtendedStateArea* area);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("WriteExtendedControl")]
    internal static extern void WriteExtendedControl(ulong value);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SwitchStacks")]
    internal static extern void SwitchStacks(ulong* saveStackPointer, ulong newStackPointer);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("EnterUser")]
    internal static extern void EnterUser(UserContext* context);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("TrapStubsAddress")]
    internal static extern ulong TrapStubsAddress();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("TrapAccessFlagAddress")]
    internal static extern byte* TrapAccessFlagAddress();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SystemCallStubAddress")]
    internal static extern ulong SystemCallStubAddress();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ThreadStartAddress")]
    internal static extern ulong ThreadStartAddress();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("LinkerSymbols")]
    internal static extern void LinkerSymbols(ulong* six);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("TrampolineSlots")]
    internal static extern void TrampolineSlots(ulong* three);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("BootStackRange")]
    internal static extern ulong BootStackStart();

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("SymbolTableAddress")]
    internal static extern void* SymbolTable();
}
