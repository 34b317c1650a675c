// Ring 3: who handles what a program does, and the way in and out. The processor monitor sets the handlers once at boot; on images that
// run no programs nothing ever comes from ring 3.

using System;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Error code of a page fault (SDM vol. 3, 4.7).</summary>
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

/// <summary>Hooks of the processor monitor, and transitions.</summary>
public static unsafe class UserMode
{
    /// <summary>SYSCALL: number and arguments are in the context; the result goes into Rax.</summary>
    public static delegate*<UserContext*, void> SystemCallHandler;

    /// <summary>A page fault at an address.</summary>
    public static delegate*<UserContext*, ulong, PageFaultCode, void> PageFaultHandler;

    /// <summary>Any other exception: vector and error code.</summary>
    public static delegate*<UserContext*, int, ulong, void> TrapHandler;

    /// <summary>Runs before each return to user mode: delivers signals, ends killed programs.</summary>
    public static delegate*<UserContext*, void> ReturnHook;

    private const ulong SystemCallFlagsMask = 0x47700;
    private const ulong StarSelectors = (ulong)DescriptorTables.KernelCode << 32 | (ulong)(DescriptorTables.UserData - 8 & ~3) << 48;

    /// <summary>Where a thread's user state lies while it is in the kernel: the top of its kernel stack.</summary>
    public static UserContext* ContextOf(Thread* thread) => (UserContext*)(thread->StackTop - (ulong)sizeof(UserContext));

    /// <summary>First entry of the current thread into ring 3, with the state in ContextOf(current). Never returns.</summary>
    public static void Enter(UserContext* context)
    {
        Leave(context);
        KernelLock.Release();
        Cpu.EnterUser(context);
    }

    /// <summary>Sets the segment base that FS-relative addresses of the current thread use.</summary>
    public static void SetFsBase(ulong address)
    {
        Scheduler.Current->FsBase = address;
        Cpu.WriteMsr(Cpu.FsBaseMsr, address);
    }

    /// <summary>What is due before user mode continues: other threads, signals, wake-ups for what arrives meanwhile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Leave(UserContext* context)
    {
        do
        {
            Scheduler.BeforeUserMode();
            ReturnHook(context);
        }
        while (!Scheduler.ArmForUserMode());
    }

    /// <summary>Sets SYSCALL up on this CPU.</summary>
    internal static void EnableSystemCalls()
    {
        Cpu.WriteMsr(Cpu.StarMsr, StarSelectors);
        Cpu.WriteMsr(Cpu.LstarMsr, Cpu.SystemCallStubAddress());
        Cpu.WriteMsr(Cpu.FmaskMsr, SystemCallFlagsMask);
    }
}
