// What a signal handler finds on its stack on x86-64 Linux: struct rt_sigframe with ucontext and siginfo, and above it the extended state
// (ExtendedFrame.cs; arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h, uapi/asm-generic/siginfo.h). glibc, musl and debuggers read
// these layouts, so they are the ABI; tests/unit checks the offsets.

using System.Runtime.InteropServices;

namespace Lego.Processor;

/// <summary>Registers in a signal frame (struct sigcontext_64).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct SignalRegisters
{
    public ulong R8;
    public ulong R9;
    public ulong R10;
    public ulong R11;
    public ulong R12;
    public ulong R13;
    public ulong R14;
    public ulong R15;
    public ulong Rdi;
    public ulong Rsi;
    public ulong Rbp;
    public ulong Rbx;
    public ulong Rdx;
    public ulong Rax;
    public ulong Rcx;
    public ulong Rsp;
    public ulong Rip;
    public ulong Rflags;
    public ushort Cs;
    public ushort Gs;
    public ushort Fs;
    public ushort Ss;
    public ulong ErrorCode;
    public ulong TrapNumber;
    public ulong OldMask;
    public ulong Cr2;
    /// <summary>User address of the extended state, 0 = the initial one.</summary>
    public ulong ExtendedState;
    public fixed ulong Reserved[8];
}

/// <summary>stack_t.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SignalStack
{
    public ulong Address;
    public uint Flags;
    public uint Padding;
    public ulong LengthBytes;
}

/// <summary>struct ucontext with the kernel's 8-byte signal mask.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct UserContextFrame
{
    /// <summary>UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS.</summary>
    public const ulong DefaultFlags = 0x2 | 0x4;

    /// <summary>UC_FP_XSTATE: the floating-point state may have more than FXSAVE's bytes.</summary>
    public const ulong HasExtendedState = 0x1;

    public ulong Flags;
    public ulong Link;
    public SignalStack Stack;
    public SignalRegisters Registers;
    public ulong BlockedSignals;
}

/// <summary>siginfo_t, 128 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
public struct SignalInfoFrame
{
    [FieldOffset(0)] public int Number;
    [FieldOffset(4)] public int Error;
    [FieldOffset(8)] public int Code;
    /// <summary>si_pid.</summary>
    [FieldOffset(16)] public uint ProcessId;
    /// <summary>si_uid.</summary>
    [FieldOffset(20)] public uint UserId;
    /// <summary>si_addr: same place as si_pid.</summary>
    [FieldOffset(16)] public ulong Address;
    /// <summary>si_status of SIGCHLD; si_value of queued signals: same place.</summary>
    [FieldOffset(24)] public int Status;
    [FieldOffset(24)] public ulong Value;

    /// <summary>
    /// True when it tells of an open file: events stand for a sender, a descriptor for a value (siginfo_layout of Linux, SIL_POLL).
    /// </summary>
    public static bool IsOfFile(in SignalInfo info)
    {
        const int MostReasons = 6;
        bool hasCodes = info.Number is Signal.SegmentationFault or Signal.BusError or Signal.IllegalInstruction or Signal.FloatingPoint
            or Signal.Trap or Signal.Child or Signal.BadSystemCall;
        return info.Code == SignalCode.InputOutput || (info.Code is > 0 and <= MostReasons && !hasCodes);
    }

    /// <summary>The user's view of a signal.</summary>
    public static SignalInfoFrame From(in SignalInfo info)
    {
        SignalInfoFrame frame = default;
        frame.Number = info.Number;
        frame.Error = info.Error;
        frame.Code = info.Code;
        bool isFault = info.Code > 0 && info.Code != SignalCode.Kernel && info.Number is Signal.SegmentationFault or Signal.BusError
            or Signal.IllegalInstruction or Signal.FloatingPoint or Signal.Trap;
        if (isFault && info.Code > 0)
        {
            frame.Address = info.Value;
            return frame;
        }

        if (info.Number == Signal.BadSystemCall && info.Code == SignalCode.SystemCallFiltered)
        {
            // si_call_addr, and si_syscall with si_arch behind it.
            frame.Address = info.Value;
            frame.Value = (uint)info.Status | ((ulong)FilterInput.Architecture64 << 32);
            return frame;
        }

        frame.ProcessId = info.ProcessId;
        frame.UserId = info.UserId;
        if (info.Number == Signal.Child && info.Code > 0)
        {
            frame.Status = info.Status;
        }
        else
        {
            frame.Value = info.Value;
        }

        return frame;
    }
}

/// <summary>struct rt_sigframe.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SignalFrame
{
    public const ulong ContextOffset = 8;
    public const ulong InfoOffset = 312;

    /// <summary>Where the handler returns to: the action's restorer, which calls rt_sigreturn.</summary>
    public ulong ReturnAddress;
    public UserContextFrame Context;
    public SignalInfoFrame Info;
}
