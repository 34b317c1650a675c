// Memory of simulated machines, at addresses that are the same in every process: kernel code may depend on an address (a hash, an order),
// and a seed must replay under the debugger as it ran.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>A block of host memory that runs use in turn.</summary>
internal sealed unsafe partial class MachineMemory
{
    private const ulong FirstAddress = 0x2000_0000_0000;
    private const ulong Spacing = 1UL << 32;
    private const int ReadWrite = 3;
    private const int PrivateAnonymousFixed = 0x02 | 0x20 | 0x100000;

    private const ulong MostPages = 4096;

    private static readonly Dictionary<int, MachineMemory> s_blocks = [];

    private readonly byte* _start;

    private MachineMemory(int number)
    {
        ulong address = FirstAddress + ((ulong)number * Spacing);
        _start = Map((void*)address, (nuint)(MostPages * PageOperations.PageSize), ReadWrite, PrivateAnonymousFixed, -1, 0);
        if (_start != (void*)address)
        {
            throw new InvalidOperationException($"the address {address:x} is taken");
        }
    }

    /// <summary>The block of a machine's number.</summary>
    internal static MachineMemory Of(int number)
    {
        if (!s_blocks.TryGetValue(number, out MachineMemory? block))
        {
            block = new MachineMemory(number);
            s_blocks[number] = block;
        }

        return block;
    }

    /// <summary>So many pages of the block, free. Their bytes are those of the run before: kernel code clears what must be clear.</summary>
    internal FrameAllocator NewAllocator(ulong pages) => new(_start, Math.Min(pages, MostPages));

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial byte* Map(void* address, nuint length, int protection, int flags, int descriptor, long offset);
}
