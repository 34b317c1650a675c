// pipe, pipe2 (pipe(2)). Reading and writing are in files/PipeEnd.cs.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that make pipes.</summary>
public static unsafe class PipeCalls
{
    [SystemCall(22, "pipe", Support.Full)]
    internal static long Pipe(ref SystemCall call) => Make(ref call, OpenFlags.ReadOnly);

    [SystemCall(293, "pipe2", Support.Partial,
        "packets (O_DIRECT) from the beginning or never, and not spliced; no notification pipes")]
    internal static long Pipe2(ref SystemCall call)
    {
        // O_NOTIFICATION_PIPE has the value of O_EXCL: a kernel without watch queues says ENOPKG.
        OpenFlags flags = (OpenFlags)(uint)call.A1;
        const OpenFlags Known = OpenFlags.CloseOnExec | OpenFlags.NonBlocking | OpenFlags.Direct | OpenFlags.Exclusive;
        return (flags & ~Known) != 0 ? SystemCall.Fail(Errno.EINVAL)
            : (flags & OpenFlags.Exclusive) != 0 ? SystemCall.Fail(Errno.ENOPKG)
            : Make(ref call, flags);
    }

    private static long Make(ref SystemCall call, OpenFlags flags)
    {
        Process* process = call.Process;
        Pipe* pipe = Processor.Pipe.Create(call.Files);
        if (pipe == null)
        {
            return SystemCall.Fail(Errno.ENFILE);
        }

        pipe->Attributes = SyntheticInode.Create(process->FileSystemUserId, process->FileSystemGroupId);
        if ((flags & OpenFlags.Direct) != 0 && pipe->SeparatePackets() != Errno.None)
        {
            Processor.Pipe.Free(pipe);
            return SystemCall.Fail(Errno.ENFILE);
        }

        OpenFlags status = flags & OpenFlags.NonBlocking;
        OpenFile* reader = PipeEnd.Open(call.Files, pipe, OpenFlags.ReadOnly | status);
        OpenFlags ofWriter = OpenFlags.WriteOnly | status | (flags & OpenFlags.Direct);
        OpenFile* writer = reader == null ? null : PipeEnd.Open(call.Files, pipe, ofWriter);
        if (writer == null)
        {
            // Releasing the reader frees the pipe with it.
            if (reader == null)
            {
                Processor.Pipe.Free(pipe);
            }
            else
            {
                OpenFile.Release(reader);
            }

            return SystemCall.Fail(Errno.ENFILE);
        }

        bool closeOnExec = (flags & OpenFlags.CloseOnExec) != 0;
        long read = DescriptorCalls.Install(process, reader, closeOnExec);
        if (read < 0)
        {
            OpenFile.Release(writer);
            return read;
        }

        long write = DescriptorCalls.Install(process, writer, closeOnExec);
        if (write < 0)
        {
            FileTable.Of(process)->Close((ulong)read);
            return write;
        }

        ulong numbers = (uint)read | ((ulong)write << 32);
        Errno error = new UserPointer<ulong>(call.A0).Write(process, in numbers);
        if (error != Errno.None)
        {
            FileTable.Of(process)->Close((ulong)read);
            FileTable.Of(process)->Close((ulong)write);
        }

        return SystemCall.Result(error);
    }
}
