// membarrier(2): makes all CPUs that run the caller's program, or any program, pass a memory barrier. An interrupt does it, and the return
// from one serialises instructions as well; a thread that does not run passed one when it was put aside. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The commands of membarrier.</summary>
public static unsafe class MemoryBarriers
{
    private enum Command : uint
    {
        Query = 0,
        Global = 1,
        GlobalExpedited = 2,
        RegisterGlobal = 4,
        Private = 8,
        RegisterPrivate = 16,
        PrivateInstructions = 32,
        RegisterInstructions = 64,
        PrivateSequences = 128,
        RegisterSequences = 256,
        /// <summary>All of the above.</summary>
        Known = 511,
    }

    /// <summary>EINVAL: an unknown command or flag; EPERM: a private command whose registration is missing.</summary>
    public static long Run(ref SystemCall call)
    {
        Command command = (Command)(uint)call.A0;
        if ((uint)call.A1 != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch (command)
        {
            case Command.Query:
                return (long)Command.Known;
            case Command.RegisterGlobal:
            case Command.RegisterPrivate:
            case Command.RegisterInstructions:
            case Command.RegisterSequences:
                call.Process->Barriers |= (uint)command;
                return 0;
            case Command.Global:
            case Command.GlobalExpedited:
                Processors.InterruptAll(0);
                return 0;
            case Command.Private:
            case Command.PrivateInstructions:
            case Command.PrivateSequences:
                return RunPrivate(ref call, command);
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    private static long RunPrivate(ref SystemCall call, Command command)
    {
        // The registration of a command is the next bit.
        if ((call.Process->Barriers & ((uint)command << 1)) == 0)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (command == Command.PrivateSequences)
        {
            // Sequences of threads that run elsewhere are aborted on their way back to user mode.
            for (UserThread* thread = call.Process->FirstThread; thread != null; thread = thread->Next)
            {
                thread->SequenceTurn = ulong.MaxValue;
                Signals.Alert(thread);
            }
        }

        Processors.InterruptAll(call.Process->Space->PageTableRoot);
        return 0;
    }
}
