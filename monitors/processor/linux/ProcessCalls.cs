// fork, vfork, clone, execve, exit. The work is in process/ProcessFork.cs, ProcessExecute.cs and ProcessExit.cs; here are the arguments.
// All BLOCK.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that begin and end processes.</summary>
public static unsafe class ProcessCalls
{
    /// <summary>struct clone_args of clone3(2), its first version; later ones add set_tid and cgroup.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct CloneArguments
    {
        internal const ulong Bytes = 64;
        internal const ulong BytesWithAdditions = 88;

        internal CloneFlags Flags;
        internal ulong ProcessDescriptor;
        internal ulong ChildThreadId;
        internal ulong ParentThreadId;
        internal ulong ExitSignal;
        internal ulong Stack;
        internal ulong StackBytes;
        internal ulong ThreadPointer;
    }

    [SystemCall(56, "clone", Support.Partial, "CLONE_THREAD needs CLONE_FS and CLONE_FILES, and excludes CLONE_PIDFD; no namespaces")]
    public static long Clone(ref SystemCall call)
    {
        const ulong SignalMask = 0xFF;
        CloneFlags flags = (CloneFlags)((uint)call.A0 & ~SignalMask);
        ForkOptions options = new()
        {
            Flags = flags,
            ExitSignal = (byte)(call.A0 & SignalMask),
            StackPointer = call.A1,
            FsBase = call.A4,
            ParentThreadId = (flags & CloneFlags.ParentSetThreadId) != 0 ? call.A2 : 0,
            ChildThreadId = (flags & CloneFlags.ChildSetThreadId) != 0 ? call.A3 : 0,
            ClearChildThreadId = (flags & CloneFlags.ChildClearThreadId) != 0 ? call.A3 : 0,
        };

        // Both would be told at the same address.
        bool isAmbiguous = (flags & CloneFlags.ProcessDescriptor) != 0
            && (flags & (CloneFlags.ParentSetThreadId | CloneFlags.Detached)) != 0;
        return isAmbiguous ? SystemCall.Fail(Errno.EINVAL) : Clone(ref call, ref options, call.A2);
    }

    [SystemCall(435, "clone3", Support.Partial, "as clone; no set_tid and no cgroup")]
    public static long Clone3(ref SystemCall call)
    {
        if (call.A1 < CloneArguments.Bytes)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (call.A1 > PageOperations.PageSize)
        {
            return SystemCall.Fail(Errno.E2BIG);
        }

        Errno error = new UserPointer<CloneArguments>(call.A0).Read(call.Process, out CloneArguments arguments);
        if (error == Errno.None)
        {
            error = CheckAdditions(ref call);
        }

        // The exit signal has a field of its own here, and the stack is given by its lower end.
        bool isBadSignal = arguments.ExitSignal > Signal.Count || ((ulong)arguments.Flags & 0xFF) != 0;
        if (error == Errno.None && (isBadSignal || (arguments.Stack == 0) != (arguments.StackBytes == 0)))
        {
            error = Errno.EINVAL;
        }

        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        CloneFlags flags = arguments.Flags;
        ForkOptions options = new()
        {
            Flags = flags,
            ExitSignal = (byte)arguments.ExitSignal,
            StackPointer = arguments.Stack + arguments.StackBytes,
            FsBase = arguments.ThreadPointer,
            ParentThreadId = (flags & CloneFlags.ParentSetThreadId) != 0 ? arguments.ParentThreadId : 0,
            ChildThreadId = (flags & CloneFlags.ChildSetThreadId) != 0 ? arguments.ChildThreadId : 0,
            ClearChildThreadId = (flags & CloneFlags.ChildClearThreadId) != 0 ? arguments.ChildThreadId : 0,
        };
        return (flags & CloneFlags.Detached) != 0
            ? SystemCall.Fail(Errno.EINVAL)
            : Clone(ref call, ref options, arguments.ProcessDescriptor);
    }

    /// <summary>
    /// What a newer program says beyond the first version must be zero: none of it is there (E2BIG where not even its name is known).
    /// </summary>
    private static Errno CheckAdditions(ref SystemCall call)
    {
        for (ulong offset = CloneArguments.Bytes; offset < call.A1; offset++)
        {
            Errno error = new UserPointer<byte>(call.A0 + offset).Read(call.Process, out byte value);
            if (error != Errno.None)
            {
                return error;
            }

            if (value != 0)
            {
                return offset < CloneArguments.BytesWithAdditions ? Errno.EINVAL : Errno.E2BIG;
            }
        }

        return Errno.None;
    }

    /// <summary>fork, vfork, clone and clone3; where the child's descriptor is told (CLONE_PIDFD).</summary>
    private static long Clone(ref SystemCall call, ref ForkOptions options, ulong descriptorAddress)
    {
        CloneFlags flags = options.Flags;
        bool isThread = (flags & CloneFlags.Thread) != 0;
        bool sharesMemory = (flags & CloneFlags.Memory) != 0;
        bool sharesHandlers = (flags & CloneFlags.SignalHandlers) != 0;
        bool clearsHandlers = (flags & CloneFlags.ClearSignalHandlers) != 0;
        bool isContradiction = sharesHandlers && (clearsHandlers || !sharesMemory);
        isContradiction |= ((flags & CloneFlags.FileSystem) != 0 && (flags & (CloneFlags.NewMounts | CloneFlags.NewUsers)) != 0)
            || (isThread && (flags & (CloneFlags.NewUsers | CloneFlags.NewProcesses)) != 0);
        bool isUnknown = (flags & ~(CloneFlags.Namespaces | (isThread ? ThreadClone.Known : CloneFlags.Known))) != 0;
        if (isUnknown || isContradiction || (isThread && (flags & ThreadClone.Required) != ThreadClone.Required))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Errno refused = CheckNamespaces(call.Process, flags);
        if (refused != Errno.None)
        {
            return SystemCall.Fail(refused);
        }

        if ((flags & CloneFlags.SetThreadPointer) != 0 && options.FsBase >= UserMemory.Limit)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        if (!isThread)
        {
            bool wantsDescriptor = (flags & CloneFlags.ProcessDescriptor) != 0;
            return wantsDescriptor ? ForkWithDescriptor(ref call, ref options, descriptorAddress) : Fork(ref call, in options);
        }

        Errno error = ThreadClone.Start(call.Thread, in options, out uint id);
        return SystemCall.Result(error, id);
    }

    [SystemCall(57, "fork", Support.Full)]
    public static long Fork(ref SystemCall call)
    {
        ForkOptions options = new() { ExitSignal = Signal.Child };
        return Fork(ref call, in options);
    }

    [SystemCall(58, "vfork", Support.Full)]
    public static long VFork(ref SystemCall call)
    {
        ForkOptions options = new() { Flags = CloneFlags.Memory | CloneFlags.VFork, ExitSignal = Signal.Child };
        return Fork(ref call, in options);
    }

    [SystemCall(59, "execve", Support.Full)]
    public static long Execute(ref SystemCall call) => ExecutePath(ref call, call.A0, call.A1, call.A2);

    [SystemCall(322, "execveat", Support.Full)]
    public static long ExecuteAt(ref SystemCall call)
    {
        EmptyPath empty = (call.A4 & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName path = PathName.FromUser(call.Process, call.A0, call.A1, empty);
        if (path.Error != Errno.None)
        {
            return SystemCall.Fail(path.Error);
        }

        if ((call.A4 & ~(AtFlags.EmptyPath | AtFlags.NoFollow)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if (path.IsDescriptor)
        {
            return ExecuteDescriptor(ref call);
        }

        if ((call.A4 & AtFlags.NoFollow) != 0)
        {
            Errno error = FileStatusLookup.Find(call.Process, in path, call.A0, LastLink.Keep, out FileStatus status);
            bool isLink = (status.Attributes.Mode & FileMode.TypeMask) == FileMode.SymbolicLink;
            if (error != Errno.None || isLink)
            {
                return SystemCall.Fail(error != Errno.None ? error : Errno.ELOOP);
            }
        }

        // A path that does not need the descriptor stays as the program wrote it: it is what a script's interpreter is told.
        bool usesDescriptor = (int)call.A0 != PathName.CurrentDirectory && path.Text[0] != (byte)'/';
        return usesDescriptor ? ExecuteBelow(ref call, path.Text) : ExecutePath(ref call, call.A1, call.A2, call.A3);
    }

    /// <summary>A path below a descriptor goes by the name that the descriptor has in /dev/fd, as Linux does it.</summary>
    private static long ExecuteBelow(ref SystemCall call, ReadOnlySpan<byte> rest)
    {
        byte* page = (byte*)call.Process->Table.Frames.Allocate();
        if (page == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        TextBuffer text = new(new Span<byte>(page, PathRequest.MaxPath));
        text.Append("/dev/fd/"u8);
        text.AppendNumber((uint)call.A0);
        if (rest.Length != 0)
        {
            text.Append((byte)'/');
            text.Append(rest);
        }

        bool closes = FileTable.Of(call.Process)->IsCloseOnExec((uint)call.A0);
        long result = text.IsFull ? SystemCall.Fail(Errno.ENAMETOOLONG) : Execute(ref call, text.Text, call.A2, call.A3, closes);
        call.Process->Table.Frames.Free(page);
        return result;
    }

    /// <summary>AT_EMPTY_PATH: the program that a descriptor names.</summary>
    private static long ExecuteDescriptor(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        Errno error = descriptor.Operations.Status(call.Process, descriptor.File, out FileStatus status);
        if (error != Errno.None || descriptor.File->Node == null || (status.Attributes.Mode & FileMode.TypeMask) != FileMode.Regular)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EACCES);
        }

        // The command is named like the file, not like its place in /dev/fd.
        Process.NameBuffer name = default;
        Processes.WriteName(descriptor.File->Node->Path, name);
        long result = ExecuteBelow(ref call, default);
        if (result >= 0)
        {
            call.Process->Name = name;
        }

        return result;
    }

    [SystemCall(60, "exit", Support.Full)]
    public static long Exit(ref SystemCall call)
    {
        ThreadExit.End(call.Thread, WaitStatus.Exited((int)call.A0));
        return 0;
    }

    [SystemCall(231, "exit_group", Support.Full)]
    public static long ExitGroup(ref SystemCall call)
    {
        ThreadExit.EndAll(call.Thread, WaitStatus.Exited((int)call.A0));
        return 0;
    }

    private static long Fork(ref SystemCall call, in ForkOptions options)
    {
        Errno error = ProcessFork.Fork(call.Thread, in options, out uint id);
        return SystemCall.Result(error, id);
    }

    /// <summary>CLONE_PIDFD: the descriptor is made before the child, so that what runs out runs out before it is born.</summary>
    private static long ForkWithDescriptor(ref SystemCall call, ref ForkOptions options, ulong address)
    {
        if (!FileTable.Of(call.Process)->HasFree(DescriptorCalls.LimitOf(call.Process)))
        {
            return SystemCall.Fail(Errno.EMFILE);
        }

        OpenFile* file = call.Files.ProcessDescriptors.Open(OpenFlags.ReadWrite);
        if (file == null)
        {
            return SystemCall.Fail(Errno.ENFILE);
        }

        options.Reference = &file->Subject;
        long id = Fork(ref call, in options);
        if (id < 0)
        {
            OpenFile.Release(file);
            return id;
        }

        // Another thread may have taken the last number meanwhile; the child is born all the same, and -1 is no descriptor.
        int descriptor = (int)Math.Max(DescriptorCalls.Install(call.Process, file, closeOnExec: true), -1);
        new UserPointer<int>(address).Write(call.Process, in descriptor);
        return id;
    }

    /// <summary>unshare(2).</summary>
    [SystemCall(272, "unshare", Support.Partial,
        "CLONE_FILES, CLONE_FS and CLONE_SYSVSEM, for processes of one thread; no namespaces: EINVAL, EPERM for who might not make them")]
    public static long Unshare(ref SystemCall call)
    {
        const CloneFlags OfThreads = CloneFlags.Thread | CloneFlags.SignalHandlers | CloneFlags.Memory;
        CloneFlags flags = (CloneFlags)call.A0;
        Process* process = call.Process;
        if ((flags & ~(OfThreads | CloneFlags.Files | CloneFlags.FileSystem | CloneFlags.SystemVUndo | CloneFlags.Namespaces)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        // What only threads share: nothing is to be done for a process that shares it with nobody (Linux's check_unshare_flags).
        bool sharesMemory = (flags & CloneFlags.Memory) != 0 && process->Space->Users > 1;
        bool sharesHandlers = (flags & (CloneFlags.SignalHandlers | CloneFlags.Memory)) != 0 && process->Actions->References > 1;
        bool isAmongThreads = (flags & OfThreads) != 0 && process->ThreadCount > 1;
        Errno error = sharesMemory || sharesHandlers || isAmongThreads ? Errno.EINVAL : CheckNamespaces(process, flags);
        return SystemCall.Result(error != Errno.None ? error : Unshare(process, flags));
    }

    /// <summary>
    /// There are no namespaces but the ones that all are in. EPERM: the caller might not make them; EINVAL: as of a kernel without them, of
    /// those of users for everybody (Linux: copy_namespaces, unshare_userns).
    /// </summary>
    private static Errno CheckNamespaces(Process* process, CloneFlags flags) =>
        (flags & CloneFlags.Namespaces) == 0 ? Errno.None
        : (flags & CloneFlags.NewUsers) != 0 || Capabilities.Has(process, Capabilities.SystemAdministration) ? Errno.EINVAL
        : Errno.EPERM;

    /// <summary>Descriptors and context become the process's own. EINVAL: it has several threads, which share them here.</summary>
    internal static Errno Unshare(Process* process, CloneFlags flags)
    {
        bool isOfOneThread = process->ThreadCount == 1;
        return (flags & (CloneFlags.Files | CloneFlags.FileSystem)) != 0 && !isOfOneThread
            ? Errno.EINVAL
            : process->Table.Resources!.Unshare(process, flags);
    }

    private static long ExecutePath(ref SystemCall call, ulong address, ulong arguments, ulong environment)
    {
        byte* page = (byte*)call.Process->Table.Frames.Allocate();
        if (page == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        Span<byte> path = new(page, PathRequest.MaxPath);
        Errno error = UserString.Copy(call.Process, address, path, out int length);
        long result = error == Errno.None
            ? Execute(ref call, path.Slice(0, length), arguments, environment)
            : SystemCall.Fail(error);
        call.Process->Table.Frames.Free(page);
        return result;
    }

    /// <summary>On success the registers are the new program's, and the result is what stands in its first one.</summary>
    private static long Execute(ref SystemCall call, ReadOnlySpan<byte> path, ulong arguments, ulong environment, bool unreachable = false)
    {
        Errno error = ProcessExecute.Execute(call.Thread, path, arguments, environment, unreachable);
        return SystemCall.Result(error, (long)call.User->Rax);
    }
}
