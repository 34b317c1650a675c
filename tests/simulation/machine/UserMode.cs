// Simulation stand-in for kernel/machine's UserMode: a "program" is C# that runs where ring 3 would, and enters the kernel by the handler
// that the processor monitor has installed.

namespace Lego.Kernel;

/// <summary>The handler, and transitions.</summary>
public static unsafe class UserMode
{
    /// <summary>The handler of the machine whose code runs.</summary>
    public static UserModeHandler Handler
    {
        get => Simulation.Simulation.Machine.UserModeHandler!;
        set => Simulation.Simulation.Machine.UserModeHandler = value;
    }

    public static UserContext* ContextOf(Thread* thread) => &thread->Context;

    /// <summary>First entry of the current thread into user mode. Never returns.</summary>
    public static void Enter(UserContext* context)
    {
        Leave(Scheduler.Current, context, isReady: false);
        Simulation.UserProgram.Run(context);
    }

    public static void SetFsBase(ulong address) => Scheduler.Current->FsBase = address;

    /// <summary>What is due before user mode continues, in the order of the real one.</summary>
    internal static void Leave(Thread* current, UserContext* context, bool isReady)
    {
        if (Scheduler.BeforeUserMode(current) || !isReady)
        {
            Handler.OnReturn(current, context);
        }
    }
}
