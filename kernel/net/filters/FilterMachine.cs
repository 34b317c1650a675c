// Classic BPF: an accumulator, an index register, sixteen words of scratch memory, jumps forward only (Linux: net/core/filter.c,
// bpf_check_classic; Documentation/networking/filter.rst). A program that was checked ends, and reads and writes nothing else than its view
// and its scratch memory. Pure.

using System;

namespace Lego.Kernel;

/// <summary>Checks and runs programs.</summary>
public static unsafe class FilterMachine
{
    // Classes, sources and operations, composed as the codes are (linux/bpf_common.h).
    public const ushort LoadWord = 0x20;
    public const ushort LoadLength = 0x80;
    public const ushort LoadImmediate = 0x00;
    public const ushort LoadScratch = 0x60;
    public const ushort LoadIndexImmediate = 0x01;
    public const ushort LoadIndexScratch = 0x61;
    public const ushort LoadIndexLength = 0x81;
    public const ushort Store = 0x02;
    public const ushort StoreIndex = 0x03;
    public const ushort ReturnOperand = 0x06;
    public const ushort ReturnAccumulator = 0x16;
    public const ushort ToIndex = 0x07;
    public const ushort FromIndex = 0x87;
    public const ushort Jump = 0x05;

    private const int ScratchWords = 16;
    private const uint WordBits = 32;
    private const ushort LoadHalf = 0x28;
    private const ushort LoadByte = 0x30;
    private const ushort LoadWordIndexed = 0x40;
    private const ushort LoadHalfIndexed = 0x48;
    private const ushort LoadByteIndexed = 0x50;
    /// <summary>Four times the lower half of a byte: the length of an IPv4 header.</summary>
    private const ushort LoadIndexHeaderLength = 0xB1;
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
        Remainder = 0x90,
        Xor = 0xA0,
    }

    private enum Comparison : ushort
    {
        Equal = 0x10,
        Greater = 0x20,
        GreaterOrEqual = 0x30,
        AnyBit = 0x40,
    }

    /// <summary>EINVAL unless a program is one that may run; ENOMEM: that could not be found out.</summary>
    public static Errno Check(ref FilterCode code, FrameAllocator frames)
    {
        bool isGood = code.Length is > 0 and <= FilterCode.MaxInstructions;
        for (int index = 0; index < code.Length && isGood; index++)
        {
            isGood = IsAllowed(in code[index], (uint)(code.Length - index - 1));
        }

        bool ends = isGood && code[code.Length - 1].Code is ReturnOperand or ReturnAccumulator;
        return ends ? FilterScratch.Check(ref code, frames) : Errno.EINVAL;
    }

    /// <summary>What a checked program says of a view; 0 when it loads what is not there.</summary>
    [NoBlock]
    [NoAllocation]
    public static uint Run(ref FilterCode code, scoped in FilterView view)
    {
        Span<uint> scratch = stackalloc uint[ScratchWords];
        scratch.Clear();
        uint accumulator = 0;
        uint indexRegister = 0;
        for (int at = 0; ; at++)
        {
            FilterInstruction instruction = code[at];
            uint operand = instruction.Operand;
            switch (instruction.Code)
            {
                case LoadWord or LoadHalf or LoadByte when FilterView.IsExclusiveOr(operand): accumulator ^= indexRegister; break;
                case LoadWord or LoadHalf or LoadByte:
                    if (!view.TryLoad(operand, SizeOf(instruction.Code), out accumulator))
                    {
                        return 0;
                    }

                    break;
                case LoadWordIndexed or LoadHalfIndexed or LoadByteIndexed:
                    if (!view.TryLoadAt((int)(operand + indexRegister), SizeOf(instruction.Code), out accumulator))
                    {
                        return 0;
                    }

                    break;
                case LoadIndexHeaderLength:
                    if (!view.TryLoadAt((int)operand, 1, out indexRegister))
                    {
                        return 0;
                    }

                    indexRegister = (indexRegister & 0xF) * sizeof(uint);
                    break;
                case LoadLength: accumulator = (uint)view.Length; break;
                case LoadImmediate: accumulator = operand; break;
                case LoadScratch: accumulator = scratch[(int)operand]; break;
                case LoadIndexImmediate: indexRegister = operand; break;
                case LoadIndexScratch: indexRegister = scratch[(int)operand]; break;
                case LoadIndexLength: indexRegister = (uint)view.Length; break;
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

    /// <summary>A jump that compares.</summary>
    internal static bool IsConditional(ushort code) => (code & ClassMask) == Conditional && code != Jump;

    /// <summary>What only filters of packets do: the loads that name no word, and remainders.</summary>
    public static bool IsForPackets(ushort code) => code is LoadHalf or LoadByte or LoadWordIndexed or LoadHalfIndexed or LoadByteIndexed
        or LoadIndexHeaderLength
        || ((code & ClassMask) == Arithmetic && (Operation)(code & OperationMask) == Operation.Remainder);

    /// <summary>Whether an instruction may stand before so many others.</summary>
    private static bool IsAllowed(in FilterInstruction instruction, uint following)
    {
        uint operand = instruction.Operand;
        switch (instruction.Code)
        {
            case LoadWord or LoadHalf or LoadByte:
                return FilterView.IsOffset(operand);
            case LoadScratch or LoadIndexScratch or Store or StoreIndex:
                return operand < ScratchWords;
            case Jump:
                return operand < following;
            case LoadWordIndexed or LoadHalfIndexed or LoadByteIndexed or LoadIndexHeaderLength or LoadLength or LoadIndexLength
                or LoadImmediate or LoadIndexImmediate or ReturnOperand or ReturnAccumulator or ToIndex or FromIndex:
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
            Operation.Divide or Operation.Remainder => usesIndex || instruction.Operand != 0,
            Operation.ShiftLeft or Operation.ShiftRight => usesIndex || instruction.Operand < WordBits,
            Operation.Negate => !usesIndex,
            <= Operation.And or Operation.Xor => true,
            _ => false,
        };
    }

    /// <summary>BPF_SIZE: words, halves, bytes.</summary>
    private static int SizeOf(ushort code) => sizeof(uint) >> ((code >> 3) & 3);

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
        if (operation is Operation.Divide or Operation.Remainder && other == 0)
        {
            return false;
        }

        accumulator = operation switch
        {
            Operation.Add => accumulator + other,
            Operation.Subtract => accumulator - other,
            Operation.Multiply => accumulator * other,
            Operation.Divide => accumulator / other,
            Operation.Remainder => accumulator % other,
            Operation.Or => accumulator | other,
            Operation.And => accumulator & other,
            Operation.ShiftLeft => accumulator << (int)other,
            Operation.ShiftRight => accumulator >> (int)other,
            Operation.Negate => 0 - accumulator,
            _ => accumulator ^ other,
        };
        return true;
    }
}
