// What happens to pending signals before a thread continues in user mode: default actions, frames for handlers (SignalFrame.cs), the
// restart of interrupted system calls (signal(7)), and the way back, rt_sigreturn. Runs in the thread itself. BLOCKS (stopped processes;
// frames are copied to the user's stack). An action that ends the process does not return.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Delivery of signals to the current thread.</summary>
public static unsafe class SignalDelivery
{
    /// <summary>Bytes below the stack pointer that a program may use (System V ABI, x86-64: red zone).</summary>
    private const ulong RedZoneBytes = 128;

    private const ulong DirectionAndTrace = 0x400 | 0x100;
    /// <summary>Signals whose fatal default action is worth a log line with registers.</summary>
    private const ulong Faults = (1UL << (Signal.SegmentationFault - 1)) | (1UL << (Signal.BusError - 1))
        | (1UL << (Signal.IllegalInstruction - 1))
        | (1UL << (Signal.FloatingPoint - 1));

    /// <summary>Bytes of SYSCALL's encoding: stepping back over it restarts the call.</summary>
    private const ulong SystemCallBytes = 2;

    /// <summary>Acts on all deliverable signals; called before each return to user mode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void BeforeReturn(UserThread* thread, UserContext* user)
    {
        if (IsDue(thread))
        {
            Deliver(thread, user);
        }
    }

    /// <summary>True when <see cref="BeforeReturn"/> has something to do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsDue(UserThread* thread) => Signals.IsPending(thread) || thread->InterruptedCall != 0;

    private static void Deliver(UserThread* thread, UserContext* user)
    {
        Process* process = thread->Process;
        while (true)
        {
            if (thread->Doomed)
            {
                ThreadExit.End(thread, 0);
            }

            if (thread->JoinsStop)
            {
                ProcessStops.Join(thread);
                continue;
            }

            if (!Signals.TryDequeue(thread, thread->BlockedSignals, out SignalInfo info))
            {
                break;
            }

            SignalAction action = (*process->Actions)[info.Number];
            if (action.Handler == SignalAction.Default || (Signals.Unblockable & Signal.Bit(info.Number)) != 0)
            {
                ActByDefault(thread, in info);
            }
            else if (action.Handler != SignalAction.Ignore)
            {
                FinishInterruptedCall(thread, user, (action.Flags & SignalFlags.Restart) != 0);
                if (!TryEnterHandler(thread, user, in action, in info))
                {
                    FailToEnter(thread, info.Number);
                }
            }
        }

        ResumeInterruptedCall(thread, user);
        if (thread->RestoresSavedMask)
        {
            thread->RestoresSavedMask = false;
            Signals.SetMask(thread, thread->SavedMask);
        }
    }

    /// <summary>
    /// A handler without a usable stack or address: SIGSEGV, which ends the process if it was that handler (Linux's signal_setup_done).
    /// </summary>
    private static void FailToEnter(UserThread* thread, int signal)
    {
        if (signal == Signal.SegmentationFault)
        {
            End(thread, SignalInfo.FromKernel(Signal.SegmentationFault));
        }

        Signals.Force(thread, SignalInfo.FromKernel(Signal.SegmentationFault));
    }

    /// <summary>rt_sigreturn: puts back what the frame at the stack pointer says. A bad frame ends the process with SIGSEGV.</summary>
    public static long Return(UserThread* thread, UserContext* user)
    {
        // The handler's RET has popped the return address.
        ulong address = user->Rsp - sizeof(ulong);
        Process* process = thread->Process;
        Errno error = new UserPointer<SignalFrame>(address).Read(process, out SignalFrame frame);
        if (error == Errno.None)
        {
            Signals.SetMask(thread, frame.Context.BlockedSignals & ~Signals.Unblockable);
            LoadRegisters(user, in frame.Context.Registers);
            error = ExtendedFrame.Take(process, user, frame.Context.Registers.ExtendedState);
        }

        if (error != Errno.None)
        {
            Signals.Force(thread, SignalInfo.FromKernel(Signal.SegmentationFault));
            return (long)user->Rax;
        }

        SetAlternateStack(thread, user->Rsp, frame.Context.Stack.Address, frame.Context.Stack.LengthBytes, frame.Context.Stack.Flags);
        return (long)user->Rax;
    }

    /// <summary>sigaltstack's checks and effect, also used to restore it from a frame.</summary>
    public static Errno SetAlternateStack(UserThread* thread, ulong stackPointer, ulong address, ulong lengthBytes, uint flags)
    {
        const ulong MinimumBytes = 2048;
        if (OnAlternateStack(thread, stackPointer))
        {
            return Errno.EPERM;
        }

        uint mode = flags & ~SignalFlags.StackAutoDisarm;
        if (mode == SignalFlags.StackDisabled)
        {
            thread->AlternateStack = 0;
            thread->AlternateStackBytes = 0;
            thread->AlternateStackFlags = 0;
            return Errno.None;
        }

        if (mode is not (0 or SignalFlags.StackInUse))
        {
            return Errno.EINVAL;
        }

        if (lengthBytes < MinimumBytes)
        {
            return Errno.ENOMEM;
        }

        thread->AlternateStack = address;
        thread->AlternateStackBytes = lengthBytes;
        thread->AlternateStackFlags = flags & SignalFlags.StackAutoDisarm;
        return Errno.None;
    }

    /// <summary>The ss_flags that describe a thread's alternate stack now.</summary>
    public static uint StackFlags(UserThread* thread, ulong stackPointer)
    {
        if (thread->AlternateStackBytes == 0)
        {
            return SignalFlags.StackDisabled;
        }

        return (OnAlternateStack(thread, stackPointer) ? SignalFlags.StackInUse : 0) | thread->AlternateStackFlags;
    }

    private static bool OnAlternateStack(UserThread* thread, ulong stackPointer)
    {
        // With auto-disarm the stack is never "in use": entering the handler disarmed it.
        return thread->AlternateStackFlags == 0 && stackPointer > thread->AlternateStack
            && stackPointer - thread->AlternateStack <= thread->AlternateStackBytes;
    }

    private static void ActByDefault(UserThread* thread, in SignalInfo info)
    {
        int signal = info.Number;
        Process* process = thread->Process;
        ulong bit = Signal.Bit(signal);
        if (signal != Signal.Kill && Signals.IsIgnored(process, signal))
        {
            return;
        }

        if ((bit & Signals.Stops) != 0)
        {
            if (signal == Signal.Stop || !ProcessGroups.IsOrphaned(process))
            {
                ProcessStops.Stop(thread, signal);
            }

            return;
        }

        if ((bit & Faults) != 0)
        {
            Log.Info($"process {process->Id} ended by signal {signal}: rip {thread->User->Rip:x} rsp {thread->User->Rsp:x}"
                + $" address {thread->FaultAddress:x} trap {thread->TrapNumber} error {thread->TrapError:x}");
        }

        End(thread, in info);
    }

    /// <summary>Ends the process, and writes its core file before, if the signal is one that asks for it.</summary>
    private static void End(UserThread* thread, in SignalInfo info)
    {
        Process* process = thread->Process;
        bool isDumped = (Signal.Bit(info.Number) & Signals.DumpsCore) != 0 && !process->WritesCore;
        if (isDumped)
        {
            process->WritesCore = true;
            isDumped = process->Table.Resources!.DumpCore(thread, in info);
        }

        ThreadExit.EndAll(thread, WaitStatus.Killed(info.Number, isDumped));
    }

    /// <summary>No handler ran: the call goes on as if nothing had happened, to the deadline that it had.</summary>
    private static void ResumeInterruptedCall(UserThread* thread, UserContext* user)
    {
        if (thread->InterruptedCall != 0 && RuleOf(thread) != RestartRule.Never)
        {
            thread->ResumedDeadlineNs = thread->InterruptedDeadlineNs;
            thread->EntersSpecially |= thread->ResumedDeadlineNs != 0;
            StepBack(thread, user);
        }

        thread->InterruptedCall = 0;
        thread->InterruptedDeadlineNs = 0;
        thread->RestartsAlways = false;
        thread->NeverRestarts = false;
    }

    /// <summary>A handler is about to run: afterwards the call starts anew, or it has failed with EINTR.</summary>
    private static void FinishInterruptedCall(UserThread* thread, UserContext* user, bool handlerRestarts)
    {
        // The handler's own calls are not the continuation of the one that a signal reached before it could go on.
        thread->ResumedDeadlineNs = 0;
        if (thread->InterruptedCall != 0)
        {
            RestartRule rule = RuleOf(thread);
            bool flagCounts = rule == RestartRule.WithRestartFlag && thread->InterruptedDeadlineNs == 0;
            if (rule == RestartRule.Always || (flagCounts && handlerRestarts))
            {
                StepBack(thread, user);
            }
        }

        thread->InterruptedCall = 0;
        thread->InterruptedDeadlineNs = 0;
        thread->RestartsAlways = false;
        thread->NeverRestarts = false;
    }

    private static RestartRule RuleOf(UserThread* thread) =>
        thread->RestartsAlways
            ? RestartRule.Always
            : thread->NeverRestarts ? RestartRule.Never : SystemCallRestart.RuleOf(thread->InterruptedCall - 1);

    private static void StepBack(UserThread* thread, UserContext* user)
    {
        user->Rax = thread->InterruptedCall - 1;
        user->Rip -= SystemCallBytes;
    }

    private static bool TryEnterHandler(UserThread* thread, UserContext* user, in SignalAction action, in SignalInfo info)
    {
        Process* process = thread->Process;
        if ((action.Flags & SignalFlags.Restorer) == 0)
        {
            // x86-64 Linux has no other way back from a handler.
            return false;
        }

        if (thread->SequenceArea != 0 && !RestartableSequence.TryLeave(thread, user))
        {
            return false;
        }

        SignalFrame frame = default;
        frame.ReturnAddress = action.Restorer;
        frame.Info = SignalInfoFrame.From(in info);
        frame.Context.Flags = UserContextFrame.DefaultFlags | (ExtendedFrame.IsExtended ? UserContextFrame.HasExtendedState : 0);
        frame.Context.BlockedSignals = thread->RestoresSavedMask ? thread->SavedMask : thread->BlockedSignals;
        frame.Context.Stack.Address = thread->AlternateStack;
        frame.Context.Stack.LengthBytes = thread->AlternateStackBytes;
        frame.Context.Stack.Flags = StackFlags(thread, user->Rsp);
        StoreRegisters(ref frame.Context.Registers, user, thread);

        ulong top = user->Rsp - RedZoneBytes;
        bool isOnIt = OnAlternateStack(thread, user->Rsp);
        bool switches = (action.Flags & SignalFlags.OnStack) != 0 && thread->AlternateStackBytes != 0 && !isOnIt;
        if (switches)
        {
            top = thread->AlternateStack + thread->AlternateStackBytes;
        }

        ulong stateAt = (top - ExtendedFrame.Bytes) & ~(ulong)(ExtendedStateArea.Alignment - 1);
        // As after a CALL: the stack pointer plus 8 is a multiple of 16 (System V ABI).
        ulong frameAt = ((stateAt - (ulong)sizeof(SignalFrame)) & ~15UL) - sizeof(ulong);
        bool overflows = frameAt < thread->AlternateStack || frameAt - thread->AlternateStack > thread->AlternateStackBytes;
        if ((switches || isOnIt) && overflows)
        {
            return false;
        }

        frame.Context.Registers.ExtendedState = stateAt;
        if (ExtendedFrame.Put(process, user, stateAt) != Errno.None
            || new UserPointer<SignalFrame>(frameAt).Write(process, in frame) != Errno.None)
        {
            return false;
        }

        user->Rsp = frameAt;
        user->Rip = action.Handler;
        user->Rdi = (ulong)info.Number;
        user->Rsi = frameAt + SignalFrame.InfoOffset;
        user->Rdx = frameAt + SignalFrame.ContextOffset;
        user->Rax = 0;
        user->Flags &= ~DirectionAndTrace;
        if (switches && thread->AlternateStackFlags != 0)
        {
            thread->AlternateStackBytes = 0;
            thread->AlternateStackFlags = 0;
        }

        thread->RestoresSavedMask = false;
        ulong own = (action.Flags & SignalFlags.NoDefer) == 0 ? Signal.Bit(info.Number) : 0;
        Signals.SetMask(thread, thread->BlockedSignals | (action.Mask & ~Signals.Unblockable) | own);

        if ((action.Flags & SignalFlags.ResetHandler) != 0)
        {
            (*process->Actions)[info.Number].Handler = SignalAction.Default;
        }

        return true;
    }

    private static void StoreRegisters(ref SignalRegisters to, UserContext* user, UserThread* thread)
    {
        to.R8 = user->R8;
        to.R9 = user->R9;
        to.R10 = user->R10;
        to.R11 = user->R11;
        to.R12 = user->R12;
        to.R13 = user->R13;
        to.R14 = user->R14;
        to.R15 = user->R15;
        to.Rdi = user->Rdi;
        to.Rsi = user->Rsi;
        to.Rbp = user->Rbp;
        to.Rbx = user->Rbx;
        to.Rdx = user->Rdx;
        to.Rax = user->Rax;
        to.Rcx = user->Rcx;
        to.Rsp = user->Rsp;
        to.Rip = user->Rip;
        to.Rflags = user->Flags;
        to.Cs = (ushort)user->CodeSegment;
        to.Ss = (ushort)user->StackSegment;
        to.ErrorCode = thread->TrapError;
        to.TrapNumber = thread->TrapNumber;
        to.OldMask = thread->BlockedSignals;
        to.Cr2 = thread->FaultAddress;
    }

    private static void LoadRegisters(UserContext* user, in SignalRegisters from)
    {
        user->R8 = from.R8;
        user->R9 = from.R9;
        user->R10 = from.R10;
        user->R11 = from.R11;
        user->R12 = from.R12;
        user->R13 = from.R13;
        user->R14 = from.R14;
        user->R15 = from.R15;
        user->Rdi = from.Rdi;
        user->Rsi = from.Rsi;
        user->Rbp = from.Rbp;
        user->Rbx = from.Rbx;
        user->Rdx = from.Rdx;
        user->Rax = from.Rax;
        user->Rcx = from.Rcx;
        user->Rsp = from.Rsp;
        user->Rip = from.Rip;
        // Selectors stay those of 64-bit user mode; flags that belong to the kernel (IOPL, IF) are not the program's to set.
        user->Flags = (from.Rflags & UserContext.UserFlags) | UserContext.RequiredFlags;
    }
}
