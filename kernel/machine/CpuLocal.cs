// What each CPU keeps for itself, reached through GS. The fields up to Current are known to Traps.S.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>One CPU's private data; lives in a page of its own together with its GDT and TSS.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct CpuLocal
{
    internal CpuLocal* Self;
    internal ulong KernelStackTop;
    internal ulong UserStackPointer;
    internal int Index;
    internal uint ApicId;
    internal Thread* Current;
    internal Thread* Idle;
    internal ulong PageTableRoot;
    internal uint Halted;

    /// <summary>Set by another CPU that has changed page tables; cleared by this one when its TLB has forgotten them.</summary>
    internal uint FlushWanted;

    /// <summary>Set while it halts in KernelLock: interrupts come without the lock then.</summary>
    internal uint WaitsForLock;

    /// <summary>Set by whoever has interrupted it for that reason.</summary>
    internal uint LockWakeSent;
    internal DescriptorTables Tables;
}
