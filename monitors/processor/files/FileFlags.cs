// Flags of files and directories as chattr(1) and lsattr(1) know them (ioctl_iflags(2)). All files of a volume have what a new one has on
// ext4 and nothing more: EXT4_EXTENTS_FL, for their blocks are found by extents; files in memory have none, as on tmpfs. So what is there
// can be told, and set again; to add or take a flag is EOPNOTSUPP, which ext4 says of flags that it does not know: nothing would heed it.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>FS_IOC_GETFLAGS and FS_IOC_SETFLAGS.</summary>
public static unsafe class FileFlags
{
    public const uint Get = 0x80086601;
    public const uint Set = 0x40086602;

    private const uint Extents = 0x80000;
    /// <summary>FS_IMMUTABLE_FL and FS_APPEND_FL: for root alone.</summary>
    private const uint Protecting = 0x30;
    /// <summary>EXT4_FL_USER_MODIFIABLE; of others that may be told a request says nothing (EXT4_FL_USER_VISIBLE).</summary>
    private const uint Settable = 0x604BC0FF;
    private const uint Tellable = 0x725BDFFF;

    /// <summary>True for what has flags: files and directories of the volume, files in memory.</summary>
    public static bool Has(OpenFile* file) => file->Node != null && file->Kind is FileKind.Regular or FileKind.Directory;

    /// <summary>FS_IOC_GETFLAGS. EFAULT.</summary>
    public static Errno Read(Process* process, OpenFile* file, ulong address)
    {
        uint flags = Of(file);
        return new UserPointer<uint>(address).Write(process, in flags);
    }

    /// <summary>FS_IOC_SETFLAGS. EFAULT; ENOTTY: no such file; EPERM: not the owner, or a flag for root; EOPNOTSUPP: a change.</summary>
    public static Errno Change(Process* process, OpenFile* file, ulong address)
    {
        Errno error = new UserPointer<uint>(address).Read(process, out uint wanted);
        FileStatus status = default;
        error = error == Errno.None && !Has(file) ? Errno.ENOTTY : error;
        error = error == Errno.None ? file->Operations.Status(process, file, out status) : error;
        if (error != Errno.None)
        {
            return error;
        }

        uint user = process->FileSystemUserId;
        bool mayProtect = user == 0 || (wanted & Protecting) == 0;
        if ((user != 0 && user != status.Attributes.UserId) || !mayProtect)
        {
            return Errno.EPERM;
        }

        bool isSame = (wanted & ~Tellable) == 0 && (wanted & Settable) == Of(file);
        return isSame ? Errno.None : Errno.EOPNOTSUPP;
    }

    private static uint Of(OpenFile* file) => file->Node->Memory == null ? Extents : 0;
}
