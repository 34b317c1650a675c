// fork, vfork, clone, execve, exit. The work is in process/ProcessFork.cs, ProcessExecute.cs and ProcessExit.cs; here are the arguments.
// All BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that begin and end processes.</summary>
public static unsafe class ProcessCalls
{
    private const ulong CloneSignalMask = 0xFF;
    private const ulong CloneMemory = 0x100;
    private const ulong CloneVFork = 0x4000;
    private const ulong CloneThread = 0x10000;
    private const ulong CloneSetTls = 0x80000;
    private const ulong CloneParentSetThreadId = 0x100000;
    private const ulong CloneChildClearThreadId = 0x200000;
    private const ulong CloneChildSetThreadId = 0x1000000;
    private const ulong CloneNamespaces = 0x7E020000;
    private const ulong ExecuteAtEmptyPath = 0x1000;
    private const ulong CurrentDirectory = unchecked((ulong)-100L);

    [SystemCall(56, "clone", Support.Partial, "processes only: CLONE_THREAD is ENOSYS, CLONE_VM needs CLONE_VFORK, no namespaces")]
    public static long Clone(ref SystemCall call)
    {
        ulong flags = call.A0;
        if ((flags & CloneThread) != 0)
        {
            if (call.Processor.Reported.IsFirst(call.Number))
            {
                Log.Warn($"clone with CLONE_THREAD is not implemented; first asked for by process {call.Process->Id}");
            }

            return SystemCall.Fail(Errno.ENOSYS);
        }

        bool shares = (flags & CloneMemory) != 0;
        if ((flags & CloneNamespaces) != 0 || (shares && (flags & CloneVFork) == 0) || (flags & CloneSignalMask) > Signal.Count)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        if ((flags & CloneSetTls) != 0 && call.A4 >= UserMemory.Limit)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        ForkOptions options = new()
        {
            SharesSpace = shares,
            ExitSignal = (byte)(flags & CloneSignalMask),
            StackPointer = call.A1,
            SetsFsBase = (flags & CloneSetTls) != 0,
            FsBase = call.A4,
            ParentThreadId = (flags & CloneParentSetThreadId) != 0 ? call.A2 : 0,
            ChildThreadId = (flags & CloneChildSetThreadId) != 0 ? call.A3 : 0,
            ClearChildThreadId = (flags & CloneChildClearThreadId) != 0 ? call.A3 : 0,
        };
        return Fork(ref call, in options);
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
        ForkOptions options = new() { SharesSpace = true, ExitSignal = Signal.Child };
        return Fork(ref call, in options);
    }

    [SystemCall(435, "clone3", Support.Stub, "always ENOSYS, so that C libraries use clone")]
    public static long Clone3(ref SystemCall call) => SystemCall.Fail(Errno.ENOSYS);

    [SystemCall(59, "execve", Support.Partial, "path, arguments and environment together at most 60 KB (E2BIG)")]
    public static long Execute(ref SystemCall call) => ExecutePath(ref call, call.A0, call.A1, call.A2);

    [SystemCall(322, "execveat", Support.Partial, "only paths that are absolute or relative to the working directory")]
    public static long ExecuteAt(ref SystemCall call)
    {
        if (call.A0 != CurrentDirectory || (call.A4 & ExecuteAtEmptyPath) != 0)
        {
            return SystemCall.Fail(Errno.ENOSYS);
        }

        return ExecutePath(ref call, call.A1, call.A2, call.A3);
    }

    [SystemCall(60, "exit", Support.Full)]
    public static long Exit(ref SystemCall call)
    {
        ProcessExit.EndCurrent(call.Process, WaitStatus.Exited((int)call.A0));
        return 0;
    }

    [SystemCall(231, "exit_group", Support.Full)]
    public static long ExitGroup(ref SystemCall call)
    {
        ProcessExit.EndCurrent(call.Process, WaitStatus.Exited((int)call.A0));
        return 0;
    }

    private static long Fork(ref SystemCall call, in ForkOptions options)
    {
        Errno error = ProcessFork.Fork(call.Thread, in options, out uint id);
        return SystemCall.Result(error, id);
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
    private static long Execute(ref SystemCall call, ReadOnlySpan<byte> path, ulong arguments, ulong environment)
    {
        Errno error = ProcessExecute.Execute(call.Thread, path, arguments, environment);
        return SystemCall.Result(error, (long)call.User->Rax);
    }
}
