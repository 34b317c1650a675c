// Simulation stand-in for kernel/machine's UserMode: a "program" is C# that runs where ring 3 would, and enters the kernel by the handlers that
// the processor monitor has installed.

namespace Lego.Kernel;

/// <summary>Hooks of the processor monitor, and transitions.</summary>
public static unsafe class UserMode
{
    public static delegate*<UserContext*, void> SystemCallHandler;
    public static delegate*<UserContext*, ulong, PageFaultCode, void> PageFaultHandler;
    public static delegate*<UserContext*, int, ulong, void> TrapHandler;
    public static delegate*<UserContext*, void> ReturnHook;

    public static UserContext* ContextOf(Thread* thread) => &thread->Context;

    /// <summary>First entry of the current thread into user mode. Never returns.</summary>
    public static void Enter(UserContext* context)
    {
        Leave(context);
        Simulation.UserProgram.Run(context);
    }

    public static void SetFsBase(ulong address) => Scheduler.Current->FsBase = address;

    /// <summary>What is due before user mode continues, in the order of the real one.</summary>
    internal static void Leave(UserContext* context)
    {
        Scheduler.BeforeUserMode();
        ReturnHook(context);
    }
}
