// The trees of /proc, /sys and /dev: how an entry is found by name, by number or as the next one, its path and its attributes. What entries
// there are is in PseudoRows.cs. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The shape of the trees that this component serves.</summary>
public static unsafe class PseudoTree
{
    /// <summary>Entries that the root directory gets from here.</summary>
    public const uint RootCount = 3;

    private const uint ReadExecute = 0x16D;
    private const uint ReadOnly = 0x124;
    private const uint OwnerReadExecute = 0x140;
    private const uint OwnerWriteExecute = 0xC0;
    private const uint OwnerWrite = 0x80;
    private const uint OwnerRead = 0x100;
    private const uint All = 0x1FF;
    private const uint Sticky = 0x200;
    private const uint ReadWrite = 0x1B6;

    /// <summary>The index-th entry of the root directory that is served here.</summary>
    public static PseudoFile RootChild(uint index) => index switch { 0 => PseudoFile.Dev, 1 => PseudoFile.Proc, _ => PseudoFile.Sys };

    public static bool IsDirectory(PseudoFile file)
    {
        PseudoRows.Of(file, out _, out PseudoType type);
        return type == PseudoType.Directory;
    }

    public static bool IsLink(PseudoFile file)
    {
        PseudoRows.Of(file, out _, out PseudoType type);
        return type == PseudoType.Link;
    }

    public static PseudoType TypeOf(PseudoFile file)
    {
        PseudoRows.Of(file, out _, out PseudoType type);
        return type;
    }

    /// <summary>The entry's name; empty for those that are named by a number.</summary>
    public static ReadOnlySpan<byte> NameOf(PseudoFile file) => PseudoRows.Of(file, out _, out _);

    /// <summary>The directory above.</summary>
    public static PseudoNode ParentOf(PseudoNode node)
    {
        if (node.File == PseudoFile.Process && node.ThreadId != 0)
        {
            return new PseudoNode { File = PseudoFile.ProcessTask, ProcessId = node.ProcessId };
        }

        PseudoRows.Of(node.File, out PseudoFile parent, out _);
        return BelongsToProcess(parent)
            ? new PseudoNode { File = parent, ProcessId = node.ProcessId, ThreadId = node.ThreadId }
            : new PseudoNode { File = parent };
    }

    /// <summary>
    /// EACCES when a process may not look names up in a directory: another user's descriptors. ENOENT: its process has gone.
    /// </summary>
    public static Errno CheckSearch(Process* caller, PseudoNode directory)
    {
        if (directory.File is not (PseudoFile.ProcessFd or PseudoFile.ProcessFdInfo))
        {
            return Errno.None;
        }

        Process* process = Visibility.FindProcess(caller, directory.ProcessId);
        return process == null ? Errno.ENOENT : FileAccess.MayInspect(caller, process) ? Errno.None : Errno.EACCES;
    }

    /// <summary>An entry of a directory. False: ENOENT.</summary>
    public static bool TryFind(Process* caller, PseudoNode directory, ReadOnlySpan<byte> name, out PseudoNode child)
    {
        child = new PseudoNode { ProcessId = directory.ProcessId, ThreadId = directory.ThreadId };
        if (BelongsToProcess(directory.File) && ThreadOf(caller->Table, directory) == null)
        {
            return false;
        }

        if (directory.File == PseudoFile.DevSharedMemory)
        {
            SharedMemoryName* found = FileSystem.Of(caller).SharedMemory.Find(caller->VNode, name);
            child = new PseudoNode { File = PseudoFile.SharedMemoryFile, Descriptor = found == null ? 0 : (int)found->Number };
            return found != null;
        }

        if (PathText.TryNumber(name, out uint number))
        {
            if (directory.File == PseudoFile.Proc)
            {
                child = new PseudoNode { File = PseudoFile.Process, ProcessId = number };
                return Visibility.FindProcess(caller, number) != null;
            }

            if (directory.File == PseudoFile.ProcessTask)
            {
                child = new PseudoNode { File = PseudoFile.Process, ProcessId = directory.ProcessId, ThreadId = number };
                return ThreadOf(caller->Table, child) != null;
            }

            if (directory.File is PseudoFile.ProcessFd or PseudoFile.ProcessFdInfo)
            {
                child.File = NumberedChild(directory.File);
                child.Descriptor = (int)number;
                return DescriptorFile(caller->Table, child) != null;
            }
        }

        for (PseudoFile file = PseudoFile.Root; file < PseudoFile.End; file++)
        {
            if (PseudoRows.Of(file, out PseudoFile parent, out _).SequenceEqual(name) && parent == directory.File && !name.IsEmpty
                && IsThere(directory, file))
            {
                child.File = file;
                return file != PseudoFile.DevTerminal0 || FileSystem.Of(caller).Sessions.Find(caller->TerminalSession) != null;
            }
        }

        return false;
    }

    /// <summary>
    /// The entry of a directory at or after a cookie, in a fixed order: static entries, then processes, threads or descriptors by number.
    /// False at the end.
    /// </summary>
    public static bool TryNext(Process* viewer, PseudoNode directory, ulong cookie, out PseudoNode child, out ulong nextCookie)
    {
        child = new PseudoNode { ProcessId = directory.ProcessId, ThreadId = directory.ThreadId };
        nextCookie = 0;
        for (ulong file = cookie; file < (ulong)PseudoFile.End; file++)
        {
            PseudoRows.Of((PseudoFile)file, out PseudoFile parent, out _);
            if (parent == directory.File && !NameOf((PseudoFile)file).IsEmpty && file > (ulong)PseudoFile.Root
                && IsThere(directory, (PseudoFile)file))
            {
                child.File = (PseudoFile)file;
                nextCookie = file + 1;
                return true;
            }
        }

        uint number = cookie <= (ulong)PseudoFile.End ? 0 : (uint)(cookie - (ulong)PseudoFile.End);
        if (!TryNextNumber(viewer, directory, number, out uint found))
        {
            return false;
        }

        child.File = NumberedChild(directory.File);
        child.Descriptor = child.File == PseudoFile.Process ? 0 : (int)found;
        child.ProcessId = directory.File == PseudoFile.Proc ? found : directory.ProcessId;
        child.ThreadId = directory.File == PseudoFile.ProcessTask ? found : directory.ThreadId;
        nextCookie = (ulong)PseudoFile.End + found + 1;
        return true;
    }

    /// <summary>The entry's path; bytes written.</summary>
    public static int PathOf(PseudoNode node, Span<byte> text)
    {
        TextBuffer buffer = new(text);
        AppendPath(node, ref buffer);
        return buffer.Text.Length;
    }

    /// <summary>The name of one entry in its directory.</summary>
    public static void AppendName(PseudoNode node, ref TextBuffer text)
    {
        if (node.File == PseudoFile.Process)
        {
            text.AppendNumber(node.ThreadId != 0 ? node.ThreadId : node.ProcessId);
        }
        else if (node.File is PseudoFile.ProcessDescriptor or PseudoFile.ProcessDescriptorInfo or PseudoFile.SharedMemoryFile)
        {
            text.AppendNumber((uint)node.Descriptor);
        }
        else
        {
            text.Append(NameOf(node.File));
        }
    }

    public static uint InodeOf(PseudoNode node) =>
        (node.ThreadId != 0 ? 1u << 31 : 0) + ((node.ProcessId % Processes.IdsPerComponent) << 14) + ((uint)node.File << 6)
        + (uint)(node.Descriptor & 63) + 1;

    /// <summary>The open file behind /proc/PID/fd/N, or null. Descriptor.Of holds it for whoever blocks.</summary>
    internal static OpenFile* DescriptorFile(Processes processes, PseudoNode node)
    {
        Process* process = processes.Find(node.ProcessId);
        return process == null || process->Resources == null ? null : FileTable.Of(process)->Find((ulong)node.Descriptor);
    }

    /// <summary>
    /// The thread that an entry below /proc/PID is about, the leader unless it stands below task; null when it or its process has gone.
    /// </summary>
    internal static UserThread* ThreadOf(Processes processes, PseudoNode node)
    {
        UserThread* thread = processes.UserThreads.Find(node.ThreadId != 0 ? node.ThreadId : node.ProcessId);
        return thread != null && thread->Process->Id == node.ProcessId ? thread : null;
    }

    /// <summary>stat(2) of an entry; ENOENT when its process or thread has gone.</summary>
    public static Errno Status(Process* caller, PseudoNode node, out FileStatus status)
    {
        status = StatusOf(node);
        if (!BelongsToProcess(node.File))
        {
            return Errno.None;
        }

        UserThread* thread = ThreadOf(caller->Table, node);
        if (thread == null)
        {
            return Errno.ENOENT;
        }

        Process* process = thread->Process;
        status.Attributes.UserId = process->EffectiveUserId;
        status.Attributes.GroupId = process->EffectiveGroupId;
        if (node.File == PseudoFile.ProcessDescriptor)
        {
            OpenFile* file = DescriptorFile(caller->Table, node);
            if (file == null)
            {
                return Errno.ENOENT;
            }

            // The link's permissions say how the file is open (proc_pid_fd(5)).
            uint mode = (file->IsReadable ? OwnerReadExecute : 0) | (file->IsWritable ? OwnerWriteExecute : 0);
            status.Attributes.Mode = FileMode.SymbolicLink | mode;
        }

        return Errno.None;
    }

    /// <summary>stat(2) of an entry that does not belong to a process.</summary>
    public static FileStatus StatusOf(PseudoNode node)
    {
        uint device = node.File == PseudoFile.DevSharedMemory
            ? DeviceNumber.SharedMemory
            : node.File >= PseudoFile.Dev ? DeviceNumber.Dev : node.File >= PseudoFile.Sys ? DeviceNumber.Sys : DeviceNumber.Proc;
        uint mode = TypeOf(node.File) switch
        {
            PseudoType.Directory => FileMode.Directory | ModeOfDirectory(node.File),
            PseudoType.Link => FileMode.SymbolicLink | All,
            PseudoType.Device => FileMode.CharacterDevice | (node.File == PseudoFile.DevTerminal0 ? 0x190u : ReadWrite),
            _ => FileMode.Regular | ModeOfText(node.File),
        };
        FileStatus status = FileStatus.Synthetic(device, InodeOf(node), mode, DeviceNumberOf(node.File));
        status.Attributes.Links = TypeOf(node.File) == PseudoType.Directory ? 2u : 1u;
        return status;
    }

    private static uint ModeOfDirectory(PseudoFile file) => file switch
    {
        PseudoFile.ProcessFd or PseudoFile.ProcessFdInfo => OwnerReadExecute,
        PseudoFile.DevSharedMemory => Sticky | All,
        _ => ReadExecute,
    };

    /// <summary>What is in a program's memory is its owner's business; settings can be written.</summary>
    private static uint ModeOfText(PseudoFile file)
    {
        return file switch
        {
            PseudoFile.ProcessDescriptorInfo or PseudoFile.ProcessAuxiliary or PseudoFile.ProcessEnvironment
                or PseudoFile.ProcessInputOutput or PseudoFile.ProcessMemory => OwnerRead,
            PseudoFile.ProcessComm or PseudoFile.ProcessOomScoreAdjust or PseudoFile.ProcSysHostName or PseudoFile.ProcSysDomainName =>
                ReadOnly | OwnerWrite,
            _ => ReadOnly,
        };
    }

    /// <summary>st_rdev of an entry of /dev.</summary>
    public static uint DeviceNumberOf(PseudoFile file)
    {
        return file switch
        {
            PseudoFile.DevNull => DeviceNumber.Null,
            PseudoFile.DevZero => DeviceNumber.Zero,
            PseudoFile.DevFull => DeviceNumber.Full,
            PseudoFile.DevRandom => DeviceNumber.Random,
            PseudoFile.DevURandom => DeviceNumber.URandom,
            PseudoFile.DevTerminal => DeviceNumber.Terminal,
            PseudoFile.DevConsole => DeviceNumber.Console,
            PseudoFile.DevTerminal0 => DeviceNumber.FirstPseudoTerminal,
            _ => 0,
        };
    }

    /// <summary>The entry of /dev with a device number, for device nodes on the volume; None when there is none.</summary>
    public static PseudoFile FindDevice(uint deviceNumber)
    {
        for (PseudoFile file = PseudoFile.Dev; file < PseudoFile.End; file++)
        {
            if (deviceNumber != 0 && DeviceNumberOf(file) == deviceNumber)
            {
                return file;
            }
        }

        return PseudoFile.None;
    }

    public static bool BelongsToProcess(PseudoFile file) => file is >= PseudoFile.Process and <= PseudoFile.ProcessDescriptorInfo;

    /// <summary>What the numbers in a directory of /proc stand for.</summary>
    private static PseudoFile NumberedChild(PseudoFile directory) => directory switch
    {
        PseudoFile.ProcessFd => PseudoFile.ProcessDescriptor,
        PseudoFile.ProcessFdInfo => PseudoFile.ProcessDescriptorInfo,
        _ => PseudoFile.Process,
    };

    /// <summary>A thread's directory has no threads of its own: the tree must end somewhere.</summary>
    private static bool IsThere(PseudoNode directory, PseudoFile entry) => directory.ThreadId == 0 || entry != PseudoFile.ProcessTask;

    private static bool TryNextNumber(Process* viewer, PseudoNode directory, uint from, out uint found)
    {
        Processes processes = viewer->Table;
        found = uint.MaxValue;
        if (directory.File is PseudoFile.ProcessFd or PseudoFile.ProcessFdInfo)
        {
            Process* owner = processes.Find(directory.ProcessId);
            int descriptor = owner == null || owner->Resources == null ? -1 : FileTable.Of(owner)->NextOpen(from);
            found = (uint)descriptor;
            return descriptor >= 0;
        }

        if (directory.File == PseudoFile.ProcessTask)
        {
            return TryNextThread(processes.Find(directory.ProcessId), from, out found);
        }

        if (directory.File == PseudoFile.Proc)
        {
            // By the id table: a listing looks at each id once, however many processes there are.
            for (uint id = processes.NextId(from); id < processes.IdLimit && found == uint.MaxValue; id = processes.NextId(id + 1))
            {
                Process* process = Visibility.FindProcess(viewer, id);
                found = process != null && process->State != ProcessState.Embryo ? id : uint.MaxValue;
            }
        }

        return found != uint.MaxValue;
    }

    /// <summary>The thread with the lowest id from one on; the leader counts, though it may have ended.</summary>
    private static bool TryNextThread(Process* process, uint from, out uint found)
    {
        found = uint.MaxValue;
        if (process == null)
        {
            return false;
        }

        found = process->Id >= from ? process->Id : found;
        for (UserThread* thread = process->FirstThread; thread != null; thread = thread->Next)
        {
            found = thread->Id >= from ? Math.Min(found, thread->Id) : found;
        }

        return found != uint.MaxValue;
    }

    private static void AppendPath(PseudoNode node, ref TextBuffer text)
    {
        if (node.File == PseudoFile.Root)
        {
            return;
        }

        AppendPath(ParentOf(node), ref text);
        text.Append((byte)'/');
        AppendName(node, ref text);
    }
}
