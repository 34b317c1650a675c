// io_setup, io_destroy, io_submit, io_cancel, io_getevents, io_pgetevents (io_submit(2) and its neighbours). A request is done while it is
// submitted; its event then waits in the context (files/aio), and an eventfd is told. Errors in the order of Linux's fs/aio.c. All BLOCK.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of Linux's asynchronous input and output.</summary>
public static unsafe class AioCalls
{
    private const uint NotifiesEventFile = 1;
    private const uint HasIoPriority = 2;
    private const ulong MaxSegments = 1024;

    private enum AioCommand : ushort
    {
        Read = 0,
        Write = 1,
        Synchronize = 2,
        SynchronizeData = 3,
        ReadVector = 7,
        WriteVector = 8,
    }

    /// <summary>struct iocb.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct AioRequest
    {
        internal ulong Data;
        internal uint Key;
        internal uint TransferFlags;
        internal AioCommand Command;
        internal short Priority;
        internal uint Descriptor;
        internal ulong Address;
        internal ulong LengthBytes;
        internal long Offset;
        internal ulong Reserved;
        internal uint Flags;
        internal uint EventDescriptor;
    }

    /// <summary>struct __aio_sigset.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SignalMask
    {
        internal ulong Address;
        internal ulong LengthBytes;
    }

    [SystemCall(206, "io_setup", Support.Full)]
    internal static long Setup(ref SystemCall call)
    {
        Process* process = call.Process;
        AioContexts contexts = call.Files.Aio;
        Errno error = new UserPointer<ulong>(call.A1).Read(process, out ulong before);
        if (error != Errno.None || before != 0 || (uint)call.A0 == 0)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        error = contexts.Create(process, (uint)call.A0, out AioContext* context);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        // A page of the program's names the context.
        error = MemoryCalls.MapAnonymous(process, 0, PageOperations.PageSize, Protection.Read | Protection.Write, out ulong id);
        if (error == Errno.None)
        {
            context->Id = id;
            error = new UserPointer<ulong>(call.A1).Write(process, in id);
            if (error != Errno.None)
            {
                UnmapName(process, id);
            }
        }

        if (error != Errno.None)
        {
            contexts.Destroy(context);
        }

        return MemoryCalls.Answer(ref call, error, 0);
    }

    [SystemCall(207, "io_destroy", Support.Full)]
    internal static long Destroy(ref SystemCall call)
    {
        AioContexts contexts = call.Files.Aio;
        AioContext* context = contexts.Hold(call.Process, call.A0);
        if (context == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        contexts.Destroy(context);
        contexts.Release(context);
        return MemoryCalls.Answer(ref call, UnmapName(call.Process, call.A0), 0);
    }

    [SystemCall(209, "io_submit", Support.Partial,
        "a request is done before the call returns, also where it waits; no IOCB_CMD_POLL: EINVAL")]
    internal static long Submit(ref SystemCall call)
    {
        if ((long)call.A1 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        AioContexts contexts = call.Files.Aio;
        AioContext* context = contexts.Hold(call.Process, call.A0);
        if (context == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        ulong count = Math.Min(call.A1, context->Capacity + 1);
        ulong done = 0;
        Errno error = Errno.None;
        while (done < count && error == Errno.None && !(done != 0 && Signals.IsDying(call.Thread)))
        {
            error = new UserPointer<ulong>(call.A2).ReadAt(call.Process, done, out ulong address);
            error = error != Errno.None ? error : Submit(ref call, context, address);
            done += error == Errno.None ? 1u : 0;
        }

        contexts.Release(context);
        return done != 0 ? (long)done : SystemCall.Result(error);
    }

    [SystemCall(210, "io_cancel", Support.Full)]
    internal static long Cancel(ref SystemCall call)
    {
        // What was submitted is done: there is never anything to cancel.
        Errno error = new UserPointer<AioRequest>(call.A1).Read(call.Process, out _);
        return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
    }

    [SystemCall(208, "io_getevents", Support.Full)]
    internal static long GetEvents(ref SystemCall call)
    {
        Errno error = ReadDeadline(call.Process, call.A4, out ulong deadline);
        return error != Errno.None ? SystemCall.Fail(error) : GetEvents(ref call, deadline);
    }

    [SystemCall(333, "io_pgetevents", Support.Full)]
    internal static long GetEventsWithMask(ref SystemCall call)
    {
        SignalMask mask = default;
        Errno error = ReadDeadline(call.Process, call.A4, out ulong deadline);
        if (error == Errno.None && call.A5 != 0)
        {
            error = new UserPointer<SignalMask>(call.A5).Read(call.Process, out mask);
        }

        error = error != Errno.None ? error : Polling.SwapMask(ref call, mask.Address, mask.LengthBytes);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        long result = GetEvents(ref call, deadline);
        Polling.RestoreMask(ref call, mask.Address, result);
        return result;
    }

    /// <summary>Takes the page away that names a context.</summary>
    private static Errno UnmapName(Process* process, ulong id) =>
        process->Table.Spaces.Unmap(process->Space, id, id + PageOperations.PageSize);

    /// <summary>A relative time; one that is negative never comes, as on Linux (ktime_add_safe). Address 0 = never. EFAULT.</summary>
    private static Errno ReadDeadline(Process* process, ulong address, out ulong deadlineNs)
    {
        deadlineNs = ulong.MaxValue;
        if (address == 0)
        {
            return Errno.None;
        }

        Errno error = new UserPointer<TimeSpecification>(address).Read(process, out TimeSpecification time);
        deadlineNs = time.Seconds < 0 || time.Nanoseconds < 0 ? ulong.MaxValue : TimeSpecification.DeadlineAfter(time.TotalNs);
        return error;
    }

    /// <summary>Does one request. EFAULT, EINVAL, EAGAIN, EBADF, EOPNOTSUPP: it was none; how it went is in its event.</summary>
    private static Errno Submit(ref SystemCall call, AioContext* context, ulong address)
    {
        AioContexts contexts = call.Files.Aio;
        Errno error = new UserPointer<AioRequest>(address).Read(call.Process, out AioRequest request);
        if (error != Errno.None || request.Reserved != 0 || (long)request.LengthBytes < 0)
        {
            return error != Errno.None ? error : Errno.EINVAL;
        }

        AioEvent* made = contexts.NewEvent(context);
        if (made == null)
        {
            return Errno.EAGAIN;
        }

        error = Perform(ref call, in request, address, out long result, out OpenFile* told);
        if (error != Errno.None || context->IsDestroyed)
        {
            contexts.Free(made);
        }
        else
        {
            made->Record = new AioRecord { Data = request.Data, Request = address, Result = result };
            context->Add(made);
        }

        if (told != null)
        {
            if (error == Errno.None)
            {
                call.Files.EventFiles.Raise(told);
            }

            OpenFile.Release(told);
        }

        return error;
    }

    private static Errno Perform(ref SystemCall call, in AioRequest request, ulong address, out long result, out OpenFile* told)
    {
        result = 0;
        told = null;
        using Descriptor descriptor = Descriptor.Of(call.Process, request.Descriptor);
        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return Errno.EBADF;
        }

        if ((request.Flags & NotifiesEventFile) != 0)
        {
            OpenFile* file = FileTable.Of(call.Process)->Find(request.EventDescriptor);
            if (file == null || file->IsPathOnly || file->Kind != FileKind.Event)
            {
                return file == null || file->IsPathOnly ? Errno.EBADF : Errno.EINVAL;
            }

            file->References++;
            told = file;
        }

        // That it is under way is marked in the request (KIOCB_KEY).
        Errno error = new UserPointer<uint>(address + sizeof(ulong)).Write(call.Process, 0);
        if (error != Errno.None)
        {
            return error;
        }

        if (request.Command is AioCommand.Synchronize or AioCommand.SynchronizeData)
        {
            bool isBad = request.Address != 0 || request.Offset != 0 || request.LengthBytes != 0 || request.TransferFlags != 0;
            error = isBad ? Errno.EINVAL : descriptor.Operations.Synchronize(call.Process, descriptor.File);
            result = CallResult.Of(error, 0);
            return isBad || error == Errno.EINVAL ? Errno.EINVAL : Errno.None;
        }

        return Move(ref call, in descriptor, in request, out result);
    }

    private static Errno Move(ref SystemCall call, in Descriptor descriptor, in AioRequest request, out long result)
    {
        result = 0;
        bool isVector = request.Command is AioCommand.ReadVector or AioCommand.WriteVector;
        bool isRead = request.Command is AioCommand.Read or AioCommand.ReadVector;
        if (!isRead && request.Command is not (AioCommand.Write or AioCommand.WriteVector))
        {
            return Errno.EINVAL;
        }

        Errno error = (request.Flags & HasIoPriority) != 0 ? IoPriorityCalls.Check(call.Process, (ushort)request.Priority) : Errno.None;
        OpenFlags extra = OpenFlags.ReadOnly;
        error = error != Errno.None ? error : TransferFlags.Check(request.TransferFlags, descriptor.File, isRead, out extra);
        FileIo.Direction direction = isRead ? FileIo.Direction.Read : FileIo.Direction.Write;
        if (error == Errno.None && !(isRead ? descriptor.File->IsReadable : descriptor.File->IsWritable))
        {
            error = Errno.EBADF;
        }

        if (error == Errno.None && isVector && request.LengthBytes > MaxSegments)
        {
            error = Errno.EINVAL;
        }

        if (error != Errno.None)
        {
            return error;
        }

        IoVector memory = new(call.Process, request.Address, isVector ? 0 : request.LengthBytes);
        error = isVector ? IoVector.OfArray(call.Process, request.Address, request.LengthBytes, out memory) : Errno.None;
        bool endsBeyond = request.Offset < 0 || (long)((ulong)request.Offset + memory.RemainingBytes) < 0;
        if (error != Errno.None || memory.IsWild || (endsBeyond && descriptor.Operations.IsSeekable))
        {
            return error != Errno.None ? error : memory.IsWild ? Errno.EFAULT : Errno.EINVAL;
        }

        memory.Extra = extra;
        result = FileIo.TransferAt(call.Process, descriptor.File, direction, ref memory, (ulong)request.Offset);
        return Errno.None;
    }

    /// <summary>Tells events as they come. EINVAL, EFAULT, EINTR.</summary>
    private static long GetEvents(ref SystemCall call, ulong deadlineNs)
    {
        AioContexts contexts = call.Files.Aio;
        AioContext* context = contexts.Hold(call.Process, call.A0);
        if (context == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        long least = (long)call.A1;
        long most = (long)call.A2;
        long given = 0;
        Errno error = least < 0 || least > most ? Errno.EINVAL : Errno.None;
        while (error == Errno.None)
        {
            while (given < most && context->First != null && error == Errno.None)
            {
                AioEvent* taken = context->Take();
                error = new UserPointer<AioRecord>(call.A3).WriteAt(call.Process, (ulong)given, in taken->Record);
                if (error != Errno.None)
                {
                    context->PutBack(taken);
                    break;
                }

                contexts.Free(taken);
                given++;
            }

            if (error == Errno.None && (given >= least || context->IsDestroyed))
            {
                break;
            }

            error = error != Errno.None ? error
                : Clock.NowNs() >= deadlineNs ? Errno.ETIMEDOUT
                : Signals.WaitUntil(ref context->Added, deadlineNs);
        }

        contexts.Release(context);
        return given != 0 ? given : error == Errno.ETIMEDOUT ? 0 : SystemCall.Result(error);
    }
}
