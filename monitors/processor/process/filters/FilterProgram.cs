// Which classic-BPF programs filter system calls, and what they read: struct seccomp_data by aligned words, no packets (Linux:
// kernel/seccomp.c, seccomp_check_filter). Pure.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct seccomp_data.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct FilterInput
{
    public const int Bytes = 64;
    /// <summary>AUDIT_ARCH_X86_64.</summary>
    public const uint Architecture64 = 0xC000003E;

    public int Number;
    public uint Architecture;
    public ulong InstructionPointer;
    public fixed ulong Arguments[6];
}

/// <summary>Checks and runs programs.</summary>
public static unsafe class FilterProgram
{
    /// <summary>EINVAL unless a program is one that may run; ENOMEM.</summary>
    public static Errno Check(SystemCallFilter* filter, FrameAllocator frames)
    {
        bool isGood = true;
        for (int index = 0; index < filter->Code.Length && isGood; index++)
        {
            ref FilterInstruction instruction = ref filter->Code[index];
            isGood = instruction.Code == FilterMachine.LoadWord
                ? instruction.Operand < FilterInput.Bytes && instruction.Operand % sizeof(uint) == 0
                : !FilterMachine.IsForPackets(instruction.Code);
        }

        return isGood ? FilterMachine.Check(ref filter->Code, frames) : Errno.EINVAL;
    }

    /// <summary>What a checked program says of a call.</summary>
    public static uint Run(SystemCallFilter* filter, in FilterInput input)
    {
        FilterView view = FilterView.Of(MemoryMarshal.AsBytes(new ReadOnlySpan<FilterInput>(in input)));
        view.IsHostOrder = true;
        return FilterMachine.Run(ref filter->Code, in view);
    }
}
