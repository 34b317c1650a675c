// The registers of an interrupted program, as the entry stubs save them (Traps.S) at the top of the thread's kernel stack.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>Saved user state. Changing it changes what the program continues with.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct UserContext
{
    /// <summary>Vector number of SYSCALL, which has none of its own.</summary>
    public const ulong SystemCallVector = 256;

    /// <summary>RFLAGS bits that a program may set: CF PF AF ZF SF TF DF OF NT AC ID.</summary>
    public const ulong UserFlags = 0x244DD5;

    /// <summary>Always set for programs: interrupts enabled, and the bit that is always one.</summary>
    public const ulong RequiredFlags = 0x202;

    /// <summary>The two vector registers that the kernel's own code uses (boot/link.sh checks that there are no others).</summary>
    public fixed ulong Xmm0[2];
    public fixed ulong Xmm8[2];
    public ulong R15;
    public ulong R14;
    public ulong R13;
    public ulong R12;
    public ulong R11;
    public ulong R10;
    public ulong R9;
    public ulong R8;
    public ulong Rdi;
    public ulong Rsi;
    public ulong Rbp;
    public ulong Rbx;
    public ulong Rdx;
    public ulong Rcx;
    public ulong Rax;
    public ulong Vector;
    public ulong ErrorCode;
    public ulong Rip;
    public ulong CodeSegment;
    public ulong Flags;
    public ulong Rsp;
    public ulong StackSegment;

    /// <summary>True when the program, not the kernel, was interrupted.</summary>
    public readonly bool IsFromUser => (CodeSegment & 3) != 0;

    /// <summary>Completes an FXSAVE area's XMM part (16 registers), of which the CPU holds all but these two unchanged.</summary>
    public readonly void StoreVectors(byte* xmm)
    {
        ulong* words = (ulong*)xmm;
        words[0] = Xmm0[0];
        words[1] = Xmm0[1];
        words[16] = Xmm8[0];
        words[17] = Xmm8[1];
    }

    /// <summary>Takes these two registers from an area that is then loaded into the CPU.</summary>
    public void LoadVectors(byte* xmm)
    {
        ulong* words = (ulong*)xmm;
        Xmm0[0] = words[0];
        Xmm0[1] = words[1];
        Xmm8[0] = words[16];
        Xmm8[1] = words[17];
    }

    /// <summary>Sets the state that a new program starts with.</summary>
    public void Reset(ulong instructionPointer, ulong stackPointer)
    {
        this = default;
        Rip = instructionPointer;
        Rsp = stackPointer;
        CodeSegment = DescriptorTables.UserCode;
        StackSegment = DescriptorTables.UserData;
        Flags = RequiredFlags;
    }
}
