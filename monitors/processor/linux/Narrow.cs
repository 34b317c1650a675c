// Arguments that Linux declares as int or unsigned int: what a program leaves in the upper half of the register means nothing
// (SYSCALL_DEFINEx of Linux casts each argument to its type; glibc passes ints with the upper half undefined). SystemCallTable.cs says
// which they are, but for those that their handlers read as 32-bit numbers of their own accord.

using System.Runtime.CompilerServices;

namespace Lego.Processor;

/// <summary>Arguments that are narrower than a register, a bit each.</summary>
internal static class Narrow
{
    internal const uint First = 1;
    internal const uint Second = 2;
    internal const uint Third = 4;
    internal const uint Fourth = 8;
    internal const uint Fifth = 0x10;
    internal const uint Sixth = 0x20;

    /// <summary>The call without the upper halves of these arguments, which are constants.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ref SystemCall Take(ref SystemCall call, uint arguments)
    {
        call.A0 = (arguments & First) != 0 ? (uint)call.A0 : call.A0;
        call.A1 = (arguments & Second) != 0 ? (uint)call.A1 : call.A1;
        call.A2 = (arguments & Third) != 0 ? (uint)call.A2 : call.A2;
        call.A3 = (arguments & Fourth) != 0 ? (uint)call.A3 : call.A3;
        call.A4 = (arguments & Fifth) != 0 ? (uint)call.A4 : call.A4;
        call.A5 = (arguments & Sixth) != 0 ? (uint)call.A5 : call.A5;
        return ref call;
    }
}
