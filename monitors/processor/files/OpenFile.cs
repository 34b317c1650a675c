// An open file description (open(2)): what descriptors refer to, shared by dup and fork with one position. In a slab; lives as long as
// something refers to it. Which fields are used depends on Kind; the operations are in FileOperations and its subclasses.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One open file.</summary>
public unsafe struct OpenFile
{
    /// <summary>Descriptors and system calls in progress that refer to it.</summary>
    public uint References;
    public FileKind Kind;
    /// <summary>Standard stream number (0, 1, 2) for FileKind.StandardStream.</summary>
    public byte Stream;
    public OpenFlags Flags;
    /// <summary>Position in bytes; for directories the cookie of the next entry.</summary>
    public ulong Offset;
    /// <summary>Number of the last failed write-back that users of this open file have heard of, or that came before its first write; 0 =
    /// none (FileMessages.cs, FileSync).</summary>
    public uint KnownWriteError;
    /// <summary>The same of write-outs of what was kept here (KeptWrites.TakeError).</summary>
    public uint KnownKeptErrors;
    /// <summary>A message has written through it: KnownWriteError says what came before.</summary>
    public bool HasWritten;
    /// <summary>Counted in FileNode.Writers: as long as it is open nobody runs the file.</summary>
    public bool IsWriter;
    /// <summary>Held while a read or write uses Offset.</summary>
    public SleepLock PositionLock;
    /// <summary>Regular files, directories of the volume, FIFOs.</summary>
    public FileNode* Node;
    public Pipe* Pipe;
    public TerminalSession* Session;
    public PseudoNode Pseudo;
    public EventCounter* Counter;
    /// <summary>The process that a process descriptor names.</summary>
    public ProcessReference Subject;
    public OpenFile* NextDescriptor;
    public OpenFile* PreviousDescriptor;
    public EpollSet* Epoll;
    public FileTimer* Timer;
    public SignalSet* SignalSet;
    public InotifyInstance* Inotify;
    public Socket* Socket;
    public PosixQueue* Queue;
    /// <summary>Whom it tells of changes by a signal.</summary>
    public SignalDrivenIo SignalDriven;
    /// <summary>Entries of epoll instances that watch it.</summary>
    public EpollEntry* Watches;
    /// <summary>Whom it tells of changes itself, where no object behind it does.</summary>
    public Watchers OwnWatchers;
    private ObjectPointer<FileOperations> _operations;

    /// <summary>What can be done with it.</summary>
    public readonly FileOperations Operations => _operations.Target;

    /// <summary>False for access mode 3, too, which lets a program do neither (open(2), "Access mode 3").</summary>
    public readonly bool IsReadable =>
        (Flags & OpenFlags.AccessMask) is OpenFlags.ReadOnly or OpenFlags.ReadWrite && (Flags & OpenFlags.Path) == 0;

    public readonly bool IsWritable =>
        (Flags & OpenFlags.AccessMask) is OpenFlags.WriteOnly or OpenFlags.ReadWrite && (Flags & OpenFlags.Path) == 0;

    /// <summary>An O_PATH descriptor: most calls on it are EBADF.</summary>
    public readonly bool IsPathOnly => (Flags & OpenFlags.Path) != 0;

    public readonly bool IsNonBlocking => (Flags & OpenFlags.NonBlocking) != 0;

    /// <summary>A new open file with one reference; null when memory is exhausted.</summary>
    public static OpenFile* Create(FileSystem files, FileKind kind, OpenFlags flags)
    {
        OpenFile* file = files.OpenFiles.Allocate();
        if (file != null)
        {
            file->References = 1;
            file->Kind = kind;
            file->_operations = files.OperationsOf(kind).Self;
            file->Flags = flags & ((flags & OpenFlags.Path) != 0 ? OpenFlags.RememberedOfPath : OpenFlags.Remembered);
        }

        return file;
    }

    /// <summary>Drops a reference; the last one closes the file. May BLOCK (an unlinked file is removed then).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Release(OpenFile* file)
    {
        // Every call that takes a descriptor comes here.
        if (--file->References == 0)
        {
            Close(file);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Close(OpenFile* file)
    {
        FileLocks.Closed(file);
        FileOperations operations = file->Operations;
        EpollSet.Forget(operations.Files, file);
        SignalDrivenIo.Switch(file, isOn: false);
        operations.Files.Inotify.EndNotices(file);
        if (file->Node != null && !file->IsPathOnly)
        {
            operations.Files.Inotify.Tell(file->Node, file->IsWritable ? InotifyMask.CloseWrite : InotifyMask.CloseNoWrite);
        }

        operations.Close(file);
        operations.Files.OpenFiles.Free(file);
    }
}
