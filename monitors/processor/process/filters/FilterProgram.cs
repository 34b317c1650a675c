// Classic BPF as seccomp(2) has it: an accumulator, an index register, sixteen words of scratch memory, jumps forward only, and as its
// input struct seccomp_data, which is read by aligned words (Linux: net/core/filter.c, bpf_check_classic; kernel/seccomp.c,
// seccomp_check_filter). A program that was checked ends, and reads and writes nothing else. Pure.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct sock_filter.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FilterInstruction
{
    public ushort Code;
    public byte IfTrue;
    public byte IfFalse;
    public uint Operand;
}

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
    private const int ScratchWords = 16;
    private const uint WordBits = 32;

    // Classes, sources and operations, composed as the codes are (linux/bpf_common.h).
    private const ushort LoadAbsolute = 0x20;
    private const ushort LoadLength = 0x80;
    private const ushort LoadImmediate = 0x00;
    private const ushort LoadScratch = 0x60;
    private const ushort LoadIndexImmediate = 0x01;
    private const ushort LoadIndexScratch = 0x61;
    private const ushort LoadIndexLength = 0x81;
    private const ushort Store = 0x02;
    private const ushort StoreIndex = 0x03;
    private const ushort ReturnOperand = 0x06;
    private const ushort ReturnAccumulator = 0x16;
    private const ushort ToIndex = 0x07;
    private const ushort FromIndex = 0x87;
    private const ushort Jump = 0x05;
    private const ushort ClassMask = 7;
    private const ushort Arithmetic = 4;
    private const ushort Conditional = 5;
    private const ushort UsesIndex = 8;
    private const ushort OperationMask = 0xF0;

    private enum Operation : ushort
    {
        Add = 0x00,
        Subtract = 0x10,
        Multiply = 0x20,
        Divide = 0x30,
        Or = 0x40,
        And = 0x50,
        ShiftLeft = 0x60,
        ShiftRight = 0x70,
        Negate = 0x80,
        Xor = 0xA0,
    }

    private enum Comparison : ushort
    {
        Equal = 0x10,
        Greater = 0x20,
        GreaterOrEqual = 0x30,
        AnyBit = 0x40,
    }

    /// <summary>EINVAL unless a program is one that may run.</summary>
    public static Errno Check(SystemCallFilter* filter)
    {
        bool isGood = true;
        for (int index = 0; index < filter->Length && isGood; index++)
        {
            isGood = IsAllowed(in (*filter)[index], (uint)(filter->Length - index - 1));
        }

        ushort last = (*filter)[filter->Length - 1].Code;
        return isGood && last is ReturnOperand or ReturnAccumulator ? Errno.None : Errno.EINVAL;
    }

    /// <summary>What a checked program says of a call.</summary>
    public static uint Run(SystemCallFilter* filter, in FilterInput input)
    {
        Span<uint> scratch = stackalloc uint[ScratchWords];
        scratch.Clear();
        ReadOnlySpan<uint> words = MemoryMarshal.Cast<FilterInput, uint>(new ReadOnlySpan<FilterInput>(in input));
        uint accumulator = 0;
        uint indexRegister = 0;
        for (int at = 0; ; at++)
        {
            FilterInstruction instruction = (*filter)[at];
            uint operand = instruction.Operand;
            switch (instruction.Code)
            {
                case LoadAbsolute: accumulator = words[(int)(operand / sizeof(uint))]; break;
                case LoadLength: accumulator = FilterInput.Bytes; break;
                case LoadImmediate: accumulator = operand; break;
                case LoadScratch: accumulator = scratch[(int)operand]; break;
                case LoadIndexImmediate: indexRegister = operand; break;
                case LoadIndexScratch: indexRegister = scratch[(int)operand]; break;
                case LoadIndexLength: indexRegister = FilterInput.Bytes; break;
                case Store: scratch[(int)operand] = accumulator; break;
                case StoreIndex: scratch[(int)operand] = indexRegister; break;
                case ToIndex: indexRegister = accumulator; break;
                case FromIndex: accumulator = indexRegister; break;
                case ReturnOperand: return operand;
                case ReturnAccumulator: return accumulator;
                case Jump: at += (int)operand; break;
                default:
                    uint other = (instruction.Code & UsesIndex) != 0 ? indexRegister : operand;
                    if ((instruction.Code & ClassMask) == Conditional)
                    {
                        at += IsTrue((Comparison)(instruction.Code & OperationMask), accumulator, other)
                            ? instruction.IfTrue : instruction.IfFalse;
                    }
                    else if (!TryCompute((Operation)(instruction.Code & OperationMask), ref accumulator, other))
                    {
                        // A division by zero ends a program with 0 (convert_bpf_extensions and its kin; filter.txt).
                        return 0;
                    }

                    break;
            }
        }
    }

    private static bool IsTrue(Comparison comparison, uint left, uint right)
    {
        return comparison switch
        {
            Comparison.Equal => left == right,
            Comparison.Greater => left > right,
            Comparison.GreaterOrEqual => left >= right,
            _ => (left & right) != 0,
        };
    }

    private static bool TryCompute(Operation operation, ref uint accumulator, uint other)
    {
        if (operation == Operation.Divide && other == 0)
        {
            return false;
        }

        accumulator = operation switch
        {
            Operation.Add => accumulator + other,
            Operation.Subtract => accumulator - other,
            Operation.Multiply => accumulator * other,
            Operation.Divide => accumulator / other,
            Operation.Or => accumulator | other,
            Operation.And => accumulator & other,
            Operation.ShiftLeft => accumulator << (int)other,
            Operation.ShiftRight => accumulator >> (int)other,
            Operation.Negate => 0 - accumulator,
            _ => accumulator ^ other,
        };
        return true;
    }

    /// <summary>Whether an instruction may stand before so many others.</summary>
    private static bool IsAllowed(in FilterInstruction instruction, uint following)
    {
        uint operand = instruction.Operand;
        switch (instruction.Code)
        {
            case LoadAbsolute:
                return operand < FilterInput.Bytes && operand % sizeof(uint) == 0;
            case LoadScratch or LoadIndexScratch or Store or StoreIndex:
                return operand < ScratchWords;
            case Jump:
                return operand < following;
            case LoadLength or LoadIndexLength or LoadImmediate or LoadIndexImmediate or ReturnOperand or ReturnAccumulator or ToIndex
                or FromIndex:
                return true;
            default:
                return IsAllowedOperation(in instruction, following);
        }
    }

    private static bool IsAllowedOperation(in FilterInstruction instruction, uint following)
    {
        bool usesIndex = (instruction.Code & UsesIndex) != 0;
        if ((instruction.Code & ~(ClassMask | UsesIndex | OperationMask)) != 0)
        {
            return false;
        }

        if ((instruction.Code & ClassMask) == Conditional)
        {
            return (Comparison)(instruction.Code & OperationMask) is >= Comparison.Equal and <= Comparison.AnyBit
                && instruction.IfTrue < following && instruction.IfFalse < following;
        }

        if ((instruction.Code & ClassMask) != Arithmetic)
        {
            return false;
        }

        return (Operation)(instruction.Code & OperationMask) switch
        {
            Operation.Divide => usesIndex || instruction.Operand != 0,
            Operation.ShiftLeft or Operation.ShiftRight => usesIndex || instruction.Operand < WordBits,
            Operation.Negate => !usesIndex,
            <= Operation.And or Operation.Xor => true,
            _ => false,
        };
    }
}
