// ioctl (ioctl(2)): requests that every file knows are done here, the others by the file's kind (files/TerminalRequests.cs for terminals).

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>ioctl.</summary>
public static unsafe class TerminalCalls
{
    [SystemCall(16, "ioctl", Support.Partial,
        "terminals (modes are set at the user's terminal; job control), FIONREAD, FIONBIO, FIOASYNC, FIOCLEX, FIONCLEX, FIGETBSZ,"
        + " FS_IOC_GETFLAGS, FS_IOC_SETFLAGS (nothing can be changed)")]
    internal static long Control(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        OpenFile* file = descriptor.File;
        switch ((uint)call.A1)
        {
            case TerminalRequests.SetCloseOnExec:
            case TerminalRequests.ClearCloseOnExec:
                FileTable.Of(call.Process)->SetCloseOnExec((uint)call.A0, (uint)call.A1 == TerminalRequests.SetCloseOnExec);
                return 0;
            case TerminalRequests.SetNonBlocking:
                Errno error = new UserPointer<int>(call.A2).Read(call.Process, out int on);
                if (error == Errno.None)
                {
                    file->Flags = on != 0 ? file->Flags | OpenFlags.NonBlocking : file->Flags & ~OpenFlags.NonBlocking;
                }

                return SystemCall.Result(error);
            case TerminalRequests.SetSignalDriven:
                error = new UserPointer<int>(call.A2).Read(call.Process, out on);
                if (error == Errno.None && on != 0 && !SignalDrivenIo.IsOffered(file))
                {
                    return SystemCall.Fail(Errno.ENOTTY);
                }

                if (error == Errno.None)
                {
                    SignalDrivenIo.Switch(file, on != 0, (int)call.A0);
                }

                return SystemCall.Result(error);
            case TerminalRequests.BlockSize:
                return SystemCall.Result(new UserPointer<int>(call.A2).Write(call.Process, (int)PageOperations.PageSize));
            case FileFlags.Get when FileFlags.Has(file):
                return SystemCall.Result(FileFlags.Read(call.Process, file, call.A2));
            case FileFlags.Set:
                return SystemCall.Result(FileFlags.Change(call.Process, file, call.A2));
            case TerminalRequests.BytesReadable when file->Kind == FileKind.Regular:
                return BytesToEnd(ref call, in descriptor);
            default:
                return descriptor.Operations.Control(call.Process, file, (uint)call.A1, call.A2);
        }
    }

    private static long BytesToEnd(ref SystemCall call, in Descriptor descriptor)
    {
        Errno error = descriptor.Operations.Status(call.Process, descriptor.File, out FileStatus status);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        ulong size = status.Attributes.Size;
        ulong left = size > descriptor.File->Offset ? size - descriptor.File->Offset : 0;
        return SystemCall.Result(new UserPointer<int>(call.A2).Write(call.Process, (int)left));
    }
}
