// Files by handles that programs keep: name_to_handle_at, open_by_handle_at (open_by_handle_at(2)). A handle is the volume's inode number
// and generation (Linux's FILEID_INO32_GEN), which is what messages call a file. BLOCKS.

using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about file handles.</summary>
public static unsafe class HandleCalls
{
    private const uint HandleBytes = 8;
    private const uint MaxHandleBytes = 128;
    private const int InodeAndGeneration = 1;
    /// <summary>AT_HANDLE_FID: the handle need not be one that can be opened.</summary>
    private const ulong OnlyIdentifies = 0x200;

    /// <summary>struct file_handle; the handle follows.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Head
    {
        internal uint Bytes;
        internal int Type;
    }

    [SystemCall(303, "name_to_handle_at", Support.Partial, "files of the volume; others are EOPNOTSUPP")]
    internal static long ToHandle(ref SystemCall call)
    {
        if ((call.A4 & ~(AtFlags.Follow | AtFlags.EmptyPath | OnlyIdentifies)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        EmptyPath empty = (call.A4 & AtFlags.EmptyPath) != 0 ? EmptyPath.Descriptor : EmptyPath.Error;
        using PathName path = PathName.FromUser(call.Process, call.A0, call.A1, empty);
        FileStatus status = default;
        LastLink last = (call.A4 & AtFlags.Follow) != 0 ? LastLink.Follow : LastLink.Keep;
        Errno error = path.Error != Errno.None ? path.Error : FileStatusLookup.Find(call.Process, in path, call.A0, last, out status);
        Head head = default;
        error = error == Errno.None ? new UserPointer<Head>(call.A2).Read(call.Process, out head) : error;
        error = error != Errno.None ? error
            : head.Bytes > MaxHandleBytes ? Errno.EINVAL
            : status.Device != DeviceNumber.Volume ? Errno.EOPNOTSUPP
            : Errno.None;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        bool fits = head.Bytes >= HandleBytes;
        head = new Head { Bytes = HandleBytes, Type = InodeAndGeneration };
        int mount = (int)MountNumbers.Of(status.Device);
        error = new UserPointer<Head>(call.A2).Write(call.Process, in head);
        error = error == Errno.None && fits ? AddressOfHandle(call.A2).Write(call.Process, in status.Attributes.Handle) : error;
        error = error == Errno.None ? new UserPointer<int>(call.A3).Write(call.Process, in mount) : error;
        return SystemCall.Result(error == Errno.None && !fits ? Errno.EOVERFLOW : error);
    }

    [SystemCall(304, "open_by_handle_at", Support.Full)]
    internal static long Open(ref SystemCall call)
    {
        if (call.Process->EffectiveUserId != 0)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        OpenFile* mount = FileTable.Of(call.Process)->Find((uint)call.A0);
        if ((int)call.A0 != PathName.CurrentDirectory && (mount == null || mount->IsPathOnly))
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        Errno error = new UserPointer<Head>(call.A1).Read(call.Process, out Head head);
        if (error != Errno.None || head.Bytes is 0 or > MaxHandleBytes)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EINVAL);
        }

        error = AddressOfHandle(call.A1).Read(call.Process, out FileHandle handle);
        if (error != Errno.None || head.Bytes < HandleBytes || head.Type != InodeAndGeneration || handle.Inode == 0)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.ESTALE);
        }

        OpenFlags flags = (OpenFlags)call.A2;
        error = FileOpening.OpenHandle(call.Process, in handle, flags, out OpenFile* file);
        return error != Errno.None
            ? SystemCall.Fail(error)
            : DescriptorCalls.Install(call.Process, file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    private static UserPointer<FileHandle> AddressOfHandle(ulong address) => new(address + (ulong)sizeof(Head));
}
