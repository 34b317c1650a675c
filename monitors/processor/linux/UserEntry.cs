// Where programs enter the kernel: system calls, page faults, other traps, and the hook before each return. The machine layer
// (kernel/machine/UserMode.cs) calls these with the kernel lock held, in the program's own kernel thread. They may BLOCK.

using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Handlers of user mode.</summary>
public sealed unsafe class UserEntry(ProcessorMonitor processor) : UserModeHandler
{
    private const ulong PageFaultVector = 14;

    private readonly ObjectPointer<ProcessorMonitor> _processor = new(processor);

    [SkipLocalsInit]
    public override bool OnSystemCall(Thread* current, UserContext* user)
    {
        UserThread* thread = (UserThread*)current->Owner;
        thread->User = user;
        CpuTime.EnterHandler(thread);
        ulong number = user->Rax;
        long result = Run(thread, user);
        if (result == -(long)Errno.EREMOTE)
        {
            thread->FollowsMounts = true;
            result = Run(thread, user);
            thread->FollowsMounts = false;
        }

        user->Rax = (ulong)result;
        if (result == -(long)Errno.EINTR && number != SystemCallRestart.SignalReturn)
        {
            thread->InterruptedCall = number + 1;
        }

        CpuTime.LeaveHandler(thread);
        return IsReady(thread, user);
    }

    /// <summary>Runs the call that the registers ask for, once.</summary>
    [SkipLocalsInit]
    private long Run(UserThread* thread, UserContext* user)
    {
        SystemCall call;
        call.Component = _processor;
        call.Number = user->Rax;
        call.A0 = user->Rdi;
        call.A1 = user->Rsi;
        call.A2 = user->Rdx;
        call.A3 = user->R10;
        call.A4 = user->R8;
        call.A5 = user->R9;
        call.Process = thread->Process;
        call.Thread = thread;
        call.User = user;
        call.ResumedDeadlineNs = 0;
        return thread->EntersSpecially ? RunSpecially(ref call) : SystemCallTable.Dispatch(ref call);
    }

    /// <summary>The call continues one that a signal has interrupted, or filters are asked first.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long RunSpecially(ref SystemCall call)
    {
        UserThread* thread = call.Thread;
        call.ResumedDeadlineNs = thread->ResumedDeadlineNs;
        thread->ResumedDeadlineNs = 0;
        thread->EntersSpecially = thread->FilterMode != FilterMode.Free;
        return thread->EntersSpecially && !FilterCalls.MayBegin(ref call, out long result) ? result : SystemCallTable.Dispatch(ref call);
    }

    public override bool OnPageFault(Thread* current, UserContext* user, ulong address, PageFaultCode code)
    {
        UserThread* thread = (UserThread*)current->Owner;
        thread->User = user;
        if ((code & PageFaultCode.User) == 0)
        {
            // The processor itself touched a user page with its own rights on behalf of the program, and SMAP refused: QEMU's IRETQ and
            // LRETQ in ring 3. No page that could be brought would help.
            OnTrap(current, user, Traps.GeneralProtection, 0);
            return false;
        }

        CpuTime.EnterHandler(thread);
        MissAccess access = MissAccess.Read;
        if ((code & PageFaultCode.InstructionFetch) != 0)
        {
            access = MissAccess.Execute;
        }
        else if ((code & PageFaultCode.Write) != 0)
        {
            access = MissAccess.Write;
        }

        thread->TrapNumber = PageFaultVector;
        thread->TrapError = (ulong)code;
        LineFaults.OnUserFault(thread, address, access);
        CpuTime.LeaveHandler(thread);
        return IsReady(thread, user);
    }

    public override void OnTrap(Thread* current, UserContext* user, int vector, ulong errorCode)
    {
        UserThread* thread = (UserThread*)current->Owner;
        thread->User = user;
        thread->TrapNumber = (ulong)vector;
        thread->TrapError = errorCode;
        SignalInfo info = new() { Number = Signal.SegmentationFault, Code = SignalCode.Kernel };
        switch (vector)
        {
            case Traps.DivideError:
                info.Number = Signal.FloatingPoint;
                info.Code = SignalCode.IntegerDivide;
                info.Value = user->Rip;
                break;
            case Traps.FloatingPoint:
            case Traps.SimdFloatingPoint:
                info.Number = Signal.FloatingPoint;
                info.Code = SignalCode.FloatInvalid;
                info.Value = user->Rip;
                break;
            case Traps.InvalidOpcode:
                info.Number = Signal.IllegalInstruction;
                info.Code = SignalCode.IllegalOpcode;
                info.Value = user->Rip;
                break;
            case Traps.Debug:
                info.Number = Signal.Trap;
                info.Code = SignalCode.TrapTrace;
                info.Value = user->Rip;
                break;
            case Traps.Breakpoint:
                info.Number = Signal.Trap;
                break;
            case Traps.AlignmentCheck:
            case Traps.StackFault:
                info.Number = Signal.BusError;
                break;
            case Traps.GeneralProtection when !UserMemory.IsCanonical(user->Rsp):
                // A push to a non-canonical address is a stack fault (SDM vol. 3, 6.15); QEMU reports it as general protection.
                info.Number = Signal.BusError;
                break;
            default:
                // General protection and the rest: SIGSEGV from the kernel, as in Linux.
                break;
        }

        Signals.Force(thread, in info);
    }

    public override void OnReturn(Thread* current, UserContext* user)
    {
        UserThread* thread = (UserThread*)current->Owner;
        thread->User = user;
        while (!IsReady(thread, user))
        {
            // Each may wait, and what has come meanwhile is not left for the next entry.
            SignalDelivery.BeforeReturn(thread, user);
            bool isUpdated = !RestartableSequence.IsDue(thread) || RestartableSequence.TryUpdate(thread, user);
            if (!isUpdated || !UserMemory.IsCanonical(user->Rip))
            {
                // IRETQ would fault in ring 0. A handler or a signal frame can ask for such an address; a second refusal finds SIGSEGV
                // blocked and kills.
                OnTrap(current, user, Traps.GeneralProtection, 0);
            }
        }
    }

    /// <summary>True when OnReturn would do nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsReady(UserThread* thread, UserContext* user) =>
        !SignalDelivery.IsDue(thread) && !RestartableSequence.IsDue(thread) && UserMemory.IsCanonical(user->Rip);
}
