// A classic-BPF program in memory (struct sock_filter of linux/filter.h): its instructions lie in page frames, so that the longest one
// needs no contiguous memory.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>struct sock_filter.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FilterInstruction
{
    public ushort Code;
    public byte IfTrue;
    public byte IfFalse;
    public uint Operand;
}

/// <summary>The instructions of a program.</summary>
public unsafe struct FilterCode
{
    /// <summary>BPF_MAXINSNS.</summary>
    public const int MaxInstructions = InstructionsPerPage * PageCount;

    private const int InstructionsPerPage = PageOperations.PageSize / 8;
    private const int PageCount = 8;

    public int Length;
    private Pages _pages;

    [InlineArray(PageCount)]
    private struct Pages
    {
        private nuint _first;
    }

    /// <summary>An instruction of the program.</summary>
    public ref FilterInstruction this[int index] =>
        ref ((FilterInstruction*)_pages[index / InstructionsPerPage])[index % InstructionsPerPage];

    /// <summary>Takes the pages of a length; false without memory, and then some may have to be given back.</summary>
    public bool TryTake(FrameAllocator frames, int length)
    {
        Length = length;
        bool hasAll = true;
        for (int page = 0; page * InstructionsPerPage < length && hasAll; page++)
        {
            _pages[page] = (nuint)frames.AllocateCleared();
            hasAll = _pages[page] != 0;
        }

        return hasAll;
    }

    /// <summary>Gives the pages back.</summary>
    public void GiveBack(FrameAllocator frames)
    {
        for (int page = 0; page < PageCount; page++)
        {
            if (_pages[page] != 0)
            {
                frames.Free((void*)_pages[page]);
            }
        }
    }
}
