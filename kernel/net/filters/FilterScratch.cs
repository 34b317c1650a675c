// Whether a classic-BPF program reads only what it has written of its scratch memory, on every path (check_load_and_stores of Linux's
// net/core/filter.c). Jumps lead forward only, so one walk is enough: for each instruction, which cells every way to it has written.

namespace Lego.Kernel;

/// <summary>The check of scratch memory.</summary>
internal static unsafe class FilterScratch
{
    private const int MasksPerPage = PageOperations.PageSize / sizeof(ushort);

    private ref struct Masks
    {
        internal ushort* First;
        internal ushort* Second;

        internal readonly ref ushort this[int index] => ref index < MasksPerPage ? ref First[index] : ref Second[index - MasksPerPage];
    }

    /// <summary>EINVAL, ENOMEM. The program's jumps and cells are known to be good.</summary>
    internal static Errno Check(ref FilterCode code, FrameAllocator frames)
    {
        bool needsSecond = code.Length > MasksPerPage;
        Masks masks = new() { First = (ushort*)frames.Allocate(), Second = needsSecond ? (ushort*)frames.Allocate() : null };
        bool hasAll = masks.First != null && (masks.Second != null || !needsSecond);
        Errno error = hasAll ? Walk(ref code, masks) : Errno.ENOMEM;
        if (masks.First != null)
        {
            frames.Free(masks.First);
        }

        if (masks.Second != null)
        {
            frames.Free(masks.Second);
        }

        return error;
    }

    private static Errno Walk(ref FilterCode code, Masks masks)
    {
        const ushort All = ushort.MaxValue;
        for (int at = 0; at < code.Length; at++)
        {
            masks[at] = All;
        }

        ushort written = 0;
        for (int at = 0; at < code.Length; at++)
        {
            FilterInstruction instruction = code[at];
            int operand = (int)instruction.Operand;
            written &= masks[at];
            switch (instruction.Code)
            {
                case FilterMachine.Store or FilterMachine.StoreIndex:
                    written |= (ushort)(1 << operand);
                    break;
                case FilterMachine.LoadScratch or FilterMachine.LoadIndexScratch when (written & (1 << operand)) == 0:
                    return Errno.EINVAL;
                case FilterMachine.Jump:
                    masks[at + 1 + operand] &= written;
                    written = All;
                    break;
                default:
                    if (FilterMachine.IsConditional(instruction.Code))
                    {
                        masks[at + 1 + instruction.IfTrue] &= written;
                        masks[at + 1 + instruction.IfFalse] &= written;
                        written = All;
                    }

                    break;
            }
        }

        return Errno.None;
    }
}
