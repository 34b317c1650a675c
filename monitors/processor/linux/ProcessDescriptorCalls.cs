// pidfd_open, pidfd_send_signal, pidfd_getfd (pidfd_open(2)), and kcmp(2). What such a descriptor is stands in files/ProcessDescriptor.cs;
// clone makes them, too (ProcessCalls.cs), and waitid waits for their processes (WaitCalls.cs).

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that name processes by descriptors.</summary>
public static unsafe class ProcessDescriptorCalls
{
    /// <summary>What kcmp compares.</summary>
    private enum Resource : uint
    {
        File = 0,
        Memory = 1,
        Files = 2,
        FileSystem = 3,
        SignalHandlers = 4,
        InputOutput = 5,
        SystemVUndo = 6,
    }

    [SystemCall(434, "pidfd_open", Support.Partial, "no PIDFD_THREAD")]
    internal static long Open(ref SystemCall call)
    {
        OpenFlags flags = (OpenFlags)(uint)call.A1;
        if ((flags & ~OpenFlags.NonBlocking) != 0 || (int)call.A0 <= 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* thread = Visibility.FindThread(call.Process, (uint)call.A0);
        if (thread == null || thread->Process->State == ProcessState.Embryo)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (!thread->IsLeader)
        {
            return SystemCall.Fail(Errno.ENOENT);
        }

        OpenFile* file = call.Files.ProcessDescriptors.Open(flags);
        if (file == null)
        {
            return SystemCall.Fail(Errno.ENFILE);
        }

        file->Subject = ProcessReference.Of(thread->Process);
        return DescriptorCalls.Install(call.Process, file, closeOnExec: true);
    }

    [SystemCall(424, "pidfd_send_signal", Support.Full)]
    internal static long SendSignal(ref SystemCall call)
    {
        const uint ToThread = 1;
        const uint ToProcess = 2;
        const uint ToGroup = 4;
        uint flags = (uint)call.A3;
        if (flags is not (0 or ToThread or ToProcess or ToGroup))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Process* target = FindToSignal(ref call, out Errno error);
        if (target == null)
        {
            return SystemCall.Fail(error);
        }

        ProcessReference subject = ProcessReference.Of(target);
        int signal = (int)call.A1;
        SignalInfo info = SignalCalls.FromUser(call.Process, signal);
        if (call.A2 != 0)
        {
            error = SignalCalls.ReadInformation(ref call, (int)subject.Id, signal, call.A2, out info);
            int number = signal;
            error = error == Errno.None ? new UserPointer<int>(call.A2).Read(call.Process, out number) : error;
            error = error == Errno.None && number != signal ? Errno.EINVAL : error;
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }

        // The copies may have waited: by now the number may be another process's.
        return subject.Find(call.Process->Table) == null
            ? SystemCall.Fail(Errno.ESRCH)
            : flags == ToThread ? SignalCalls.SendToThread(ref call, (int)subject.Id, (int)subject.Id, in info)
            : flags == ToGroup ? SignalCalls.SendToMany(call.Process, subject.Id, in info)
            : SignalCalls.SendToProcess(call.Process, subject.Id, in info);
    }

    [SystemCall(438, "pidfd_getfd", Support.Full)]
    internal static long GetDescriptor(ref SystemCall call)
    {
        if ((uint)call.A2 != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Process* target = Find(ref call, out Errno error);
        if (target == null)
        {
            return SystemCall.Fail(error);
        }

        if (!IdentityCalls.MayInspect(call.Process, target))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (target->Resources == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        OpenFile* file = FileTable.Of(target)->Find((uint)call.A1);
        if (file == null)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        file->References++;
        return DescriptorCalls.Install(call.Process, file, closeOnExec: true);
    }

    [SystemCall(308, "setns", Support.Stub, "no namespaces: EINVAL for every descriptor")]
    internal static long EnterNamespace(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        return SystemCall.Fail(descriptor.IsBad || descriptor.File->IsPathOnly ? Errno.EBADF : Errno.EINVAL);
    }

    [SystemCall(312, "kcmp", Support.Partial, "no KCMP_EPOLL_TFD")]
    internal static long Compare(ref SystemCall call)
    {
        UserThread* first = Visibility.FindThread(call.Process, (uint)call.A0);
        UserThread* second = Visibility.FindThread(call.Process, (uint)call.A1);
        if (first == null || second == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        if (!IdentityCalls.MayInspect(call.Process, first->Process) || !IdentityCalls.MayInspect(call.Process, second->Process))
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        ulong one;
        ulong other;
        switch ((Resource)(uint)call.A2)
        {
            case Resource.File:
                one = FileOf(first->Process, call.A3);
                other = FileOf(second->Process, call.A4);
                if (one == 0 || other == 0)
                {
                    return SystemCall.Fail(Errno.EBADF);
                }

                break;
            case Resource.Memory:
                one = (ulong)first->Process->Space;
                other = (ulong)second->Process->Space;
                break;
            case Resource.Files:
                one = (ulong)FileTable.Of(first->Process);
                other = (ulong)FileTable.Of(second->Process);
                break;
            case Resource.FileSystem:
                one = ContextOf(first->Process);
                other = ContextOf(second->Process);
                break;
            case Resource.SignalHandlers:
                one = (ulong)first->Process->Actions;
                other = (ulong)second->Process->Actions;
                break;
            case Resource.InputOutput:
            case Resource.SystemVUndo:
                // Nobody shares these here but the threads of a process; who has none is equal, as on Linux.
                return 0;
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }

        const long Less = 1;
        const long Greater = 2;
        return one == other ? 0 : one < other ? Less : Greater;
    }

    /// <summary>The process that a descriptor names. EBADF: it names none; ESRCH: the process is gone.</summary>
    internal static Process* Find(ref SystemCall call, out Errno error)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        error = Errno.EBADF;
        if (descriptor.IsBad || descriptor.File->Kind != FileKind.Process)
        {
            return null;
        }

        Process* found = descriptor.File->Subject.Find(call.Process->Table);
        error = found == null ? Errno.ESRCH : Errno.None;
        return found;
    }

    /// <summary>The same; a directory /proc/PID is as good here, as before there were such descriptors (tgid_pidfd_to_pid).</summary>
    private static Process* FindToSignal(ref SystemCall call, out Errno error)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        bool isDirectory = !descriptor.IsBad && !descriptor.File->IsPathOnly && descriptor.File->Kind == FileKind.PseudoDirectory
            && descriptor.File->Pseudo.File == PseudoFile.Process && descriptor.File->Pseudo.ThreadId == 0;
        if (!isDirectory)
        {
            return Find(ref call, out error);
        }

        Process* found = Visibility.FindProcess(call.Process, descriptor.File->Pseudo.ProcessId);
        error = found == null ? Errno.ESRCH : Errno.None;
        return found;
    }

    private static ulong FileOf(Process* process, ulong descriptor)
    {
        FileTable* table = FileTable.Of(process);
        return table == null ? 0 : (ulong)table->Find((uint)descriptor);
    }

    private static ulong ContextOf(Process* process) => process->Resources == null ? 0 : (ulong)PathContext.Of(process);
}
