// struct sock_fprog of linux/filter.h: where a program has a filter.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A program's filter, as seccomp(2) and SO_ATTACH_FILTER take it.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct ProgramRecord
{
    public ushort Length;
    public ulong Address;

    /// <summary>Copies the instructions to where there is room for them. EFAULT. BLOCKS.</summary>
    public readonly Errno Read(Process* process, ref FilterCode code)
    {
        Errno error = Errno.None;
        for (int index = 0; index < Length && error == Errno.None; index++)
        {
            error = new UserPointer<FilterInstruction>(Address).ReadAt(process, (ulong)index, out code[index]);
        }

        return error;
    }
}
