// wait4(2) and waitid(2): changes of state of children. BLOCK until there is one; children are looked at before signals, so that a SIGCHLD
// handler does not turn a successful wait into EINTR.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Waiting for children.</summary>
public static unsafe class WaitCalls
{
    private const ulong NoHang = 1;
    private const ulong Untraced = 2;
    private const ulong Exited = 4;
    private const ulong Continued = 8;
    private const ulong NoReap = 0x01000000;
    private const ulong AllKinds = 0x40000000;
    private const ulong CloneKind = 0x80000000;
    private const ulong CloneKinds = 0xE0000000;

    /// <summary>idtype_t of waitid.</summary>
    private enum IdKind : uint
    {
        All = 0,
        Process = 1,
        Group = 2,
        Descriptor = 3,
    }

    private struct Criteria
    {
        public IdKind Kind;
        public uint Id;
        public bool WantsExited;
        public bool WantsStopped;
        public bool WantsContinued;
        public bool LeavesState;
        public bool Waits;
        /// <summary>Children whose end sends SIGCHLD are waited for by default, others with __WCLONE, all with __WALL.</summary>
        public bool WantsAllKinds;
        public bool WantsClones;
    }

    private struct Change
    {
        public uint Id;
        public uint UserId;
        public uint Status;
        public ResourceUsage Usage;
    }

    [SystemCall(61, "wait4", Support.Full)]
    public static long Wait4(ref SystemCall call)
    {
        const ulong Known = NoHang | Untraced | Continued | CloneKinds;
        int id = (int)call.A0;
        if ((call.A2 & ~Known & 0xFFFFFFFF) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (id == int.MinValue)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        Criteria criteria = default;
        criteria.Kind = id == -1 ? IdKind.All : id > 0 ? IdKind.Process : IdKind.Group;
        criteria.Id = id > 0 ? (uint)id : id == 0 ? call.Process->Group : (uint)-id;
        criteria.WantsExited = true;
        criteria.WantsStopped = (call.A2 & Untraced) != 0;
        criteria.WantsContinued = (call.A2 & Continued) != 0;
        criteria.Waits = (call.A2 & NoHang) == 0;
        criteria.WantsAllKinds = (call.A2 & AllKinds) != 0;
        criteria.WantsClones = (call.A2 & CloneKind) != 0;
        Errno error = Wait(call.Process, in criteria, out Change change);
        if (error != Errno.None || change.Id == 0)
        {
            return SystemCall.Result(error);
        }

        int status = (int)change.Status;
        if (call.A1 != 0)
        {
            error = new UserPointer<int>(call.A1).Write(call.Process, in status);
        }

        if (call.A3 != 0 && error == Errno.None)
        {
            error = new UserPointer<ResourceUsage>(call.A3).Write(call.Process, in change.Usage);
        }

        return SystemCall.Result(error, change.Id);
    }

    [SystemCall(247, "waitid", Support.Full)]
    public static long WaitId(ref SystemCall call)
    {
        const ulong Known = NoHang | Untraced | Exited | Continued | NoReap | CloneKinds;
        Criteria criteria = default;
        criteria.Kind = (IdKind)call.A0;
        criteria.Id = (uint)call.A1;
        criteria.WantsExited = (call.A3 & Exited) != 0;
        criteria.WantsStopped = (call.A3 & Untraced) != 0;
        criteria.WantsContinued = (call.A3 & Continued) != 0;
        criteria.LeavesState = (call.A3 & NoReap) != 0;
        criteria.Waits = (call.A3 & NoHang) == 0;
        criteria.WantsAllKinds = (call.A3 & AllKinds) != 0;
        criteria.WantsClones = (call.A3 & CloneKind) != 0;
        bool wantsNothing = !criteria.WantsExited && !criteria.WantsStopped && !criteria.WantsContinued;
        bool isBadId = (criteria.Kind is IdKind.Process or IdKind.Descriptor
            && (int)criteria.Id <= (criteria.Kind == IdKind.Process ? 0 : -1))
            || (criteria.Kind == IdKind.Group && (int)criteria.Id < 0);
        if ((call.A3 & ~Known & 0xFFFFFFFF) != 0 || wantsNothing || criteria.Kind > IdKind.Descriptor || isBadId)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (criteria.Kind == IdKind.Group && criteria.Id == 0)
        {
            criteria.Id = call.Process->Group;
        }

        Errno error = criteria.Kind == IdKind.Descriptor ? FindSubject(ref call, ref criteria) : Errno.None;
        Change change = default;
        error = error == Errno.None ? Wait(call.Process, in criteria, out change) : error;
        if (error == Errno.None && change.Id == 0 && !criteria.Waits && (call.A3 & NoHang) == 0)
        {
            error = Errno.EAGAIN;
        }

        // Who has no such child is told so in the record as well: it is written, zeros, whatever the call answers.
        if (call.A2 != 0 && (error is Errno.None or Errno.ECHILD))
        {
            SignalInfoFrame info = change.Id == 0 ? default : Describe(in change);
            Errno written = new UserPointer<SignalInfoFrame>(call.A2).Write(call.Process, in info);
            error = written != Errno.None ? written : error;
        }

        if (error == Errno.None && call.A4 != 0)
        {
            error = new UserPointer<ResourceUsage>(call.A4).Write(call.Process, in change.Usage);
        }

        return SystemCall.Result(error);
    }

    /// <summary>P_PIDFD: the process that a descriptor names; a non-blocking descriptor does not wait (EAGAIN).</summary>
    private static Errno FindSubject(ref SystemCall call, ref Criteria criteria)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, criteria.Id);
        if (descriptor.IsBad || descriptor.File->Kind != FileKind.Process)
        {
            return Errno.EBADF;
        }

        Process* subject = descriptor.File->Subject.Find(call.Process->Table);
        criteria.Kind = IdKind.Process;
        criteria.Id = subject == null ? 0 : subject->Id;
        criteria.Waits &= !descriptor.File->IsNonBlocking;
        return subject == null ? Errno.ECHILD : Errno.None;
    }

    private static Errno Wait(Process* process, in Criteria criteria, out Change change)
    {
        Errno interrupted = Errno.None;
        while (true)
        {
            if (!TryFind(process, in criteria, out change, out bool anyChild))
            {
                if (!anyChild)
                {
                    return Errno.ECHILD;
                }
            }
            else
            {
                return Errno.None;
            }

            if (!criteria.Waits)
            {
                return Errno.None;
            }

            if (interrupted != Errno.None)
            {
                return interrupted;
            }

            interrupted = Signals.Wait(ref process->ChildChanged);
        }
    }

    private static bool TryFind(Process* process, in Criteria criteria, out Change change, out bool anyChild)
    {
        change = default;
        anyChild = false;
        for (Process* child = process->FirstChild; child != null; child = child->YoungerSibling)
        {
            bool matches = criteria.Kind == IdKind.All || (criteria.Kind == IdKind.Process ? child->Id : child->Group) == criteria.Id;
            bool isClone = child->ExitSignal != Signal.Child;
            if (!matches || (!criteria.WantsAllKinds && isClone != criteria.WantsClones))
            {
                continue;
            }

            anyChild = true;
            uint status = child->WaitStatus;
            bool ended = criteria.WantsExited && child->State == ProcessState.Zombie;
            bool stopped = criteria.WantsStopped && child->State == ProcessState.Stopped && child->StopUnreported;
            bool continued = criteria.WantsContinued && child->State == ProcessState.Running && child->ContinueUnreported;
            if (!ended && !stopped && !continued)
            {
                continue;
            }

            change.Id = child->Id;
            change.UserId = child->UserId;
            change.Status = continued && !ended ? WaitStatus.Continued : status;
            change.Usage = ResourceUsage.OfFamily(child);
            if (!criteria.LeavesState)
            {
                Take(child, ended, stopped);
            }

            return true;
        }

        return false;
    }

    private static void Take(Process* child, bool ended, bool stopped)
    {
        if (ended)
        {
            ProcessExit.Reap(child);
        }
        else if (stopped)
        {
            child->StopUnreported = false;
        }
        else
        {
            child->ContinueUnreported = false;
        }
    }

    private static SignalInfoFrame Describe(in Change change)
    {
        SignalInfo info = new() { Number = Signal.Child, ProcessId = change.Id, UserId = change.UserId };
        if (change.Status == WaitStatus.Continued)
        {
            info.Code = SignalCode.ChildContinued;
            info.Status = Signal.Continue;
        }
        else if (WaitStatus.IsStopped(change.Status))
        {
            info.Code = SignalCode.ChildStopped;
            info.Status = WaitStatus.Code(change.Status);
        }
        else if (WaitStatus.IsExited(change.Status))
        {
            info.Code = SignalCode.ChildExited;
            info.Status = WaitStatus.Code(change.Status);
        }
        else
        {
            info.Code = WaitStatus.HasCore(change.Status) ? SignalCode.ChildDumped : SignalCode.ChildKilled;
            info.Status = WaitStatus.TerminatingSignal(change.Status);
        }

        return SignalInfoFrame.From(in info);
    }
}
