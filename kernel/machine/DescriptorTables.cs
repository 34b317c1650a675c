// Segments, task state and interrupt gates (SDM vol. 3, chapters 3, 6, 8). Selectors: 8 kernel code, 16 kernel data, 0x1B user data,
// 0x23 user code (the order that SYSRET wants), 0x28 task state, 0x3B a data segment whose limit programs read with LSL: the CPU's number.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>A CPU's GDT and TSS; the IDT is shared.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 8)]
internal unsafe struct DescriptorTables
{
    internal const ushort KernelCode = 8;
    internal const ushort KernelData = 16;
    internal const ushort UserData = 0x1B;
    internal const ushort UserCode = 0x23;

    private const ushort TaskState = 0x28;
    private const int GdtEntries = 8;
    private const int VectorCount = 256;
    private const int StubBytes = 16;
    private const int DoubleFaultVector = 8;
    private const int NonMaskableVector = 2;
    private const int MachineCheckVector = 18;
    /// <summary>Read-only data of ring 3 with a limit in bytes (SDM vol. 3, 3.4.5).</summary>
    private const ulong CpuNumberSegment = 0x0040F100_00000000;
    private const ulong InterruptGate = 0x8E0000000000;
    private const ulong RingThree = 3UL << 45;
    private const int BreakpointVector = 3;
    private const int TaskStateBytes = 104;

    private fixed ulong _gdt[GdtEntries];
    private fixed uint _taskState[(TaskStateBytes / sizeof(uint)) + 2];

    [StructLayout(LayoutKind.Sequential, Pack = 2)]
    private struct TablePointer
    {
        internal ushort Limit;
        internal ulong Address;
    }

    private static ulong* s_interruptTable;

    /// <summary>
    /// Loads the tables of the CPU with this number. emergencyStackTop serves double faults, NMIs and machine checks (IST 1).
    /// </summary>
    internal void Load(FrameAllocator frames, int number, ulong emergencyStackTop)
    {
        if (s_interruptTable == null)
        {
            s_interruptTable = (ulong*)frames.AllocateCleared();
            FillInterruptTable();
        }

        fixed (ulong* gdt = _gdt)
        {
            fixed (uint* taskState = _taskState)
            {
                ulong task = (ulong)taskState;
                gdt[1] = 0x00AF9A000000FFFF;
                gdt[2] = 0x00CF92000000FFFF;
                gdt[3] = 0x00CFF2000000FFFF;
                gdt[4] = 0x00AFFA000000FFFF;
                gdt[5] = (TaskStateBytes - 1) | ((task & 0xFFFFFF) << 16) | (0x89UL << 40) | (((task >> 24) & 0xFF) << 56);
                gdt[6] = task >> 32;
                gdt[7] = CpuNumberSegment | (uint)number;
                *(ulong*)(taskState + 9) = emergencyStackTop;
                taskState[25] = TaskStateBytes << 16;
                TablePointer gdtPointer = new() { Limit = (GdtEntries * sizeof(ulong)) - 1, Address = (ulong)gdt };
                TablePointer idtPointer = new() { Limit = (VectorCount * 16) - 1, Address = (ulong)s_interruptTable };
                Cpu.LoadTables(&gdtPointer, &idtPointer, TaskState);
            }
        }
    }

    /// <summary>The stack that a trap from ring 3 starts on (TSS.RSP0).</summary>
    internal void SetKernelStack(ulong top)
    {
        fixed (uint* taskState = _taskState)
        {
            *(ulong*)(taskState + 1) = top;
        }
    }

    private static void FillInterruptTable()
    {
        ulong stubs = Cpu.TrapStubsAddress();
        for (int vector = 0; vector < VectorCount; vector++)
        {
            ulong target = stubs + (ulong)(vector * StubBytes);
            ulong emergency = vector is DoubleFaultVector or NonMaskableVector or MachineCheckVector ? 1UL << 32 : 0;
            ulong ring = vector == BreakpointVector ? RingThree : 0;
            s_interruptTable[vector * 2] =
                (target & 0xFFFF) | ((ulong)KernelCode << 16) | emergency | InterruptGate | ring | (((target >> 16) & 0xFFFF) << 48);
            s_interruptTable[(vector * 2) + 1] = target >> 32;
        }
    }
}
