// The entries of /proc/PID that lie in the program's own memory: cmdline, environ, auxv, mem. Reading one BLOCKS; the process may end
// meanwhile, so its space is held, and nothing else of the process is used once the reading has begun.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Texts out of a program's memory.</summary>
public static unsafe class ProcessMemoryTexts
{
    private const int PieceBytes = 256;

    /// <summary>The arguments as they are now, each with its terminator.</summary>
    public static void CommandLine(Process* process, ref TextBuffer text)
    {
        if (process->Space != null)
        {
            Range(process, process->Space->ArgumentStart, process->Space->ArgumentEnd, ref text);
        }
    }

    /// <summary>The environment that the program was started with, as it is now.</summary>
    public static void Environment(Process* process, ref TextBuffer text)
    {
        if (process->Space != null)
        {
            Range(process, process->Space->ArgumentEnd, process->Space->EnvironmentEnd, ref text);
        }
    }

    /// <summary>The auxiliary vector on the initial stack, up to and with AT_NULL.</summary>
    public static void Auxiliary(Process* process, ref TextBuffer text)
    {
        const int MaxEntries = 64;
        const int EntryBytes = 2 * sizeof(ulong);
        if (process->Space == null)
        {
            return;
        }

        AddressSpace* space = process->Space;
        Processes table = process->Table;
        Spaces.Hold(space);
        Span<byte> entry = stackalloc byte[EntryBytes];
        for (int index = 0; index < MaxEntries; index++)
        {
            ulong address = space->AuxiliaryStart + ((ulong)index * EntryBytes);
            if (LineFaults.CopyFromStranger(table.Cache, space, address, entry) != Errno.None)
            {
                break;
            }

            text.Append(entry);
            if (MemoryMarshal.Read<ulong>(entry) == 0)
            {
                break;
            }
        }

        table.Spaces.Release(space);
    }

    /// <summary>
    /// Reads a program's memory at an address (/proc/PID/mem); bytes, or EIO where nothing is mapped, or the error of the buffers.
    /// </summary>
    public static long Memory(Process* process, ref ulong address, ref IoVector to)
    {
        if (process->Space == null)
        {
            return 0;
        }

        AddressSpace* space = process->Space;
        Processes table = process->Table;
        Spaces.Hold(space);
        Span<byte> piece = stackalloc byte[PieceBytes];
        long total = 0;
        Errno error = Errno.None;
        while (to.RemainingBytes != 0 && error == Errno.None)
        {
            ulong inPage = PageOperations.PageSize - (address & (PageOperations.PageSize - 1));
            Span<byte> part = piece.Slice(0, (int)Math.Min(Math.Min(to.RemainingBytes, inPage), PieceBytes));
            error = LineFaults.CopyFromStranger(table.Cache, space, address, part) == Errno.None
                ? to.Give(part, out int moved)
                : Failed(out moved);
            address += (ulong)moved;
            total += moved;
        }

        table.Spaces.Release(space);
        return total != 0 ? total : CallResult.Of(error);
    }

    private static Errno Failed(out int moved)
    {
        moved = 0;
        return Errno.EIO;
    }

    private static void Range(Process* process, ulong address, ulong end, ref TextBuffer text)
    {
        AddressSpace* space = process->Space;
        Processes table = process->Table;
        Spaces.Hold(space);
        Span<byte> piece = stackalloc byte[PieceBytes];
        while (address < end && !text.IsFull)
        {
            Span<byte> part = piece.Slice(0, (int)Math.Min(end - address, PieceBytes));
            if (LineFaults.CopyFromStranger(table.Cache, space, address, part) != Errno.None)
            {
                break;
            }

            text.Append(part);
            address += (ulong)part.Length;
        }

        table.Spaces.Release(space);
    }
}
