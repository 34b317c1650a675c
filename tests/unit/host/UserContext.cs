// Host stand-in for kernel/machine: the registers of a thread that runs in user mode.

using System;

namespace Lego.Kernel;

/// <summary>Saved user registers; the same names as on the machine.</summary>
public unsafe struct UserContext
{
    public const ulong UserFlags = 0x244DD5;
    public const ulong RequiredFlags = 0x202;

    public fixed ulong Xmm0[2];
    public fixed ulong Xmm8[2];
    public ulong R15, R14, R13, R12, R11, R10, R9, R8, Rdi, Rsi, Rbp, Rbx, Rdx, Rcx, Rax, Vector, ErrorCode;
    public ulong Rip, CodeSegment, Flags, Rsp, StackSegment;

    public readonly void StoreVectors(byte* xmm)
    {
        ulong* words = (ulong*)xmm;
        words[0] = Xmm0[0];
        words[1] = Xmm0[1];
        words[16] = Xmm8[0];
        words[17] = Xmm8[1];
    }

    public void LoadVectors(byte* xmm)
    {
        ulong* words = (ulong*)xmm;
        Xmm0[0] = words[0];
        Xmm0[1] = words[1];
        Xmm8[0] = words[16];
        Xmm8[1] = words[17];
    }

    public void Reset(ulong instructionPointer, ulong stackPointer)
    {
        this = default;
        Rip = instructionPointer;
        Rsp = stackPointer;
        Flags = RequiredFlags;
    }
}

[Flags]
public enum PageFaultCode : uint
{
    None = 0,
    Protection = 1,
    Write = 2,
    User = 4,
    Reserved = 8,
    InstructionFetch = 16,
}

/// <summary>Vector numbers of exceptions.</summary>
public static class Traps
{
    public const int DivideError = 0;
    public const int Debug = 1;
    public const int Breakpoint = 3;
    public const int Overflow = 4;
    public const int InvalidOpcode = 6;
    public const int StackFault = 12;
    public const int GeneralProtection = 13;
    public const int FloatingPoint = 16;
    public const int AlignmentCheck = 17;
    public const int SimdFloatingPoint = 19;
}
