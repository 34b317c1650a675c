// Ring 3: who handles what a program does, and the way in and out. The processor monitor sets the handler once at boot; on images that
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

/// <summary>
/// Whoever runs programs: the processor monitor. All are called with the kernel lock held, in the program's own kernel thread
/// (<c>current</c>), and may block. True: nothing is due for this thread, so OnReturn need not be called unless others run first.
/// </summary>
public abstract unsafe class UserModeHandler
{
    /// <summary>SYSCALL: number and arguments are in the context; the result goes into Rax.</summary>
    public abstract bool OnSystemCall(Thread* current, UserContext* user);

    /// <summary>A page fault at an address.</summary>
    public abstract bool OnPageFault(Thread* current, UserContext* user, ulong address, PageFaultCode code);

    /// <summary>Any other exception: vector and error code.</summary>
    public abstract void OnTrap(Thread* current, UserContext* user, int vector, ulong errorCode);

    /// <summary>Runs before the return to user mode: delivers signals, ends killed programs.</summary>
    public abstract void OnReturn(Thread* current, UserContext* user);
}

/// <summary>The handler, and transitions.</summary>
public static unsafe class UserMode
{
    /// <summary>Who is told what programs do; set once, at boot. Measurements take its place for a moment.</summary>
    public static UserModeHandler Handler { get; set; } = null!;

    private const ulong SystemCallFlagsMask = 0x47700;
    private const ulong StarSelectors = ((ulong)DescriptorTables.KernelCode << 32) | ((ulong)((DescriptorTables.UserData - 8) & ~3) << 48);

    /// <summary>Where a thread's user state lies while it is in the kernel: the top of its kernel stack.</summary>
    public static UserContext* ContextOf(Thread* thread) => (UserContext*)(thread->StackTop - (ulong)sizeof(UserContext));

    /// <summary>First entry of the current thread into ring 3, with the state in ContextOf(current). Never returns.</summary>
    public static void Enter(UserContext* context)
    {
        Leave(Scheduler.Current, context, isReady: false);
        KernelLock.Release();
        Cpu.EnterUser(context);
    }

    /// <summary>Sets the segment base that FS-relative addresses of the current thread use.</summary>
    public static void SetFsBase(ulong address)
    {
        Scheduler.Current->FsBase = address;
        Cpu.WriteMsr(Cpu.FsBaseMsr, address);
    }

    /// <summary>
    /// What is due before user mode continues: other threads, signals, wake-ups for what arrives meanwhile. <paramref name="isReady"/>: the
    /// handler has found nothing to do before the return.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Leave(Thread* current, UserContext* context, bool isReady)
    {
        do
        {
            if (Scheduler.BeforeUserMode(current) || !isReady)
            {
                Handler.OnReturn(current, context);
            }

            isReady = false;
        }
        while (!Scheduler.ArmForUserMode(current));
    }

    /// <summary>Sets SYSCALL up on this CPU.</summary>
    internal static void EnableSystemCalls()
    {
        Cpu.WriteMsr(Cpu.StarMsr, StarSelectors);
        Cpu.WriteMsr(Cpu.LstarMsr, Cpu.SystemCallStubAddress());
        Cpu.WriteMsr(Cpu.FmaskMsr, SystemCallFlagsMask);
    }
}
