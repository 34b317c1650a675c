// Signal-driven I/O (fcntl(2), F_SETOWN; open(2), O_ASYNC): the part of an open file that says whom SIGIO tells of its changes.
// Embedded in the open file; zero-initialised = nobody. Whom it names may be gone: a process is found by what it was, not by its
// number alone. Nothing here blocks.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct f_owner_ex of fcntl(2).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FileOwner
{
    public const int Thread = 0;
    public const int Process = 1;
    public const int Group = 2;

    public int Kind;
    public int Id;
}

/// <summary>The owner of an open file.</summary>
public unsafe struct SignalDrivenIo
{
    /// <summary>The next open file of the same object that sends signals (Watchers).</summary>
    public OpenFile* NextOfObject;
    /// <summary>The signal that is sent instead of SIGIO, with what has happened and where (F_SETSIG); 0 = SIGIO.</summary>
    public byte Signal;
    /// <summary>The descriptor that O_ASYNC was set by.</summary>
    public int Descriptor;
    private ProcessReference _process;
    /// <summary>The thread of that process that is the owner, 0 = all of it.</summary>
    private uint _thread;
    private uint _group;
    /// <summary>Who has set the owner: signals are sent with that user's permission.</summary>
    private uint _userId;
    private uint _effectiveUserId;

    /// <summary>What sends signals here: pipes, sockets and standard streams. Others remember an owner only.</summary>
    public static bool IsOffered(OpenFile* file) => file->Kind is FileKind.Pipe or FileKind.Socket or FileKind.StandardStream;

    /// <summary>Sets or clears O_ASYNC, where it has an effect.</summary>
    public static void Switch(OpenFile* file, bool isOn, int descriptor = -1)
    {
        if (!IsOffered(file) || isOn == ((file->Flags & OpenFlags.Async) != 0))
        {
            return;
        }

        Watchers* watchers = file->Operations.WatchersOf(file);
        file->SignalDriven.Descriptor = descriptor;
        if (isOn)
        {
            Watchers.Add(watchers, file);
        }
        else
        {
            Watchers.Remove(watchers, file);
        }

        file->Flags ^= OpenFlags.Async;
    }

    /// <summary>Whether an owner was set, who may be gone.</summary>
    public readonly bool HasOwner => _group != 0 || _process.Id != 0;

    /// <summary>F_SETOWN: a process, a group as a negative number, 0 for nobody. ESRCH: there is none; EINVAL: not a group.</summary>
    public Errno SetOwner(Process* setter, int id)
    {
        if (id == int.MinValue)
        {
            return Errno.EINVAL;
        }

        Process* process = id > 0 ? Visibility.FindProcess(setter, (uint)id) : null;
        if ((id > 0 && process == null) || (id < 0 && !HasMembers(setter, (uint)-id)))
        {
            return Errno.ESRCH;
        }

        _process = process == null ? default : ProcessReference.Of(process);
        _thread = 0;
        _group = id < 0 ? (uint)-id : 0;
        _userId = setter->UserId;
        _effectiveUserId = setter->EffectiveUserId;
        return Errno.None;
    }

    /// <summary>F_SETOWN_EX. EINVAL: an unknown kind; ESRCH.</summary>
    public Errno SetOwner(Process* setter, FileOwner owner)
    {
        if (owner.Kind is < FileOwner.Thread or > FileOwner.Group || owner.Id < 0)
        {
            return owner.Kind is < FileOwner.Thread or > FileOwner.Group ? Errno.EINVAL : Errno.ESRCH;
        }

        if (owner.Kind != FileOwner.Thread || owner.Id == 0)
        {
            return SetOwner(setter, owner.Kind == FileOwner.Group ? -owner.Id : owner.Id);
        }

        UserThread* thread = Visibility.FindThread(setter, (uint)owner.Id);
        if (thread == null || thread->Process->State == ProcessState.Embryo)
        {
            return Errno.ESRCH;
        }

        Errno error = SetOwner(setter, (int)thread->Process->Id);
        _thread = error == Errno.None ? thread->Id : _thread;
        return error;
    }

    /// <summary>F_GETOWN: as it was set, a group as a negative number; 0 when the process or thread is gone.</summary>
    public readonly int GetOwner(Processes table)
    {
        FileOwner owner = GetOwnerOfKind(table);
        return owner.Kind == FileOwner.Group ? -owner.Id : owner.Id;
    }

    /// <summary>F_GETOWN_EX; nobody is a thread, as on Linux.</summary>
    public readonly FileOwner GetOwnerOfKind(Processes table)
    {
        if (_group != 0)
        {
            return new FileOwner { Kind = FileOwner.Group, Id = (int)_group };
        }

        Process* process = _process.Find(table);
        bool isThread = _thread != 0 || process == null;
        uint id = process == null || (_thread != 0 && FindThread(process) == null) ? 0 : isThread ? _thread : process->Id;
        return new FileOwner { Kind = isThread ? FileOwner.Thread : FileOwner.Process, Id = (int)id };
    }

    /// <summary>Some of these events may have become true of an open file that sends signals.</summary>
    public static void Tell(OpenFile* file, PollEvents events)
    {
        const PollEvents OfWriters = PollEvents.Writable | PollEvents.WriteBand | PollEvents.Error;
        bool concerns = (file->IsReadable && (events & ~OfWriters) != 0) || (file->IsWritable && (events & OfWriters) != 0);
        ref SignalDrivenIo io = ref file->SignalDriven;
        if (!concerns || (io._group == 0 && io._process.Id == 0))
        {
            return;
        }

        if (file->Kind == FileKind.Socket && file->Socket->Domain == AddressFamily.Unix && (events & ~OfWriters) == 0)
        {
            // Room that nobody has missed is not told (sock_wake_async of Linux).
            if (!file->Socket->Unix.LacksRoom)
            {
                return;
            }

            file->Socket->Unix.LacksRoom = false;
        }

        Send(file, Lego.Processor.Signal.Poll, events);
    }

    /// <summary>The owner of a socket hears of urgent data by SIGURG, with O_ASYNC or without (tcp(7); send_sigurg of Linux).</summary>
    public static void TellOfUrgentData(OpenFile* file)
    {
        ref SignalDrivenIo io = ref file->SignalDriven;
        if (io._group != 0 || io._process.Id != 0)
        {
            Send(file, Lego.Processor.Signal.Urgent, PollEvents.Priority);
        }
    }

    /// <summary>The owner of an open directory hears of a change of it, or in it (F_NOTIFY; POLL_MSG).</summary>
    public static void TellOfDirectory(OpenFile* file, int descriptor)
    {
        const int Message = 3;
        const uint Band = 0x441;
        ref SignalDrivenIo io = ref file->SignalDriven;
        SignalInfo plain = new() { Number = Lego.Processor.Signal.Poll, Code = SignalCode.Kernel };
        SignalInfo info = io.Signal == 0 ? plain : io.Details(Message, Band, descriptor);
        Send(file, in info, in plain);
    }

    private static void Send(OpenFile* file, int signal, PollEvents events)
    {
        ref SignalDrivenIo io = ref file->SignalDriven;
        SignalInfo plain = new() { Number = signal, Code = SignalCode.Kernel };
        bool isDetailed = io.Signal != 0 && signal == Lego.Processor.Signal.Poll;
        SignalInfo info = isDetailed ? io.Details(file, events) : plain;
        Send(file, in info, in plain);
    }

    private static void Send(OpenFile* file, in SignalInfo info, in SignalInfo plain)
    {
        ref SignalDrivenIo io = ref file->SignalDriven;
        Processes table = file->Operations.Files.Processes;
        for (Process* process = table.First; process != null; process = process->Next)
        {
            bool isOwner = io._group != 0 ? process->Group == io._group : io._process.Find(table) == process;
            if (!isOwner || !io.MaySignal(process))
            {
                continue;
            }

            // A signal that waits in a queue and finds no room there becomes SIGIO (send_sigio_to_task of Linux).
            if (io.Give(process, in info) != Errno.None)
            {
                io.Give(process, in plain);
            }
        }
    }

    private readonly Errno Give(Process* process, in SignalInfo info)
    {
        UserThread* thread = FindThread(process);
        return _thread == 0 ? Signals.Send(process, in info) : thread == null ? Errno.None : Signals.SendToThread(thread, in info);
    }

    private readonly UserThread* FindThread(Process* process)
    {
        UserThread* thread = process->FirstThread;
        while (thread != null && thread->Id != _thread)
        {
            thread = thread->Next;
        }

        return thread;
    }

    private readonly SignalInfo Details(OpenFile* file, PollEvents events)
    {
        const int In = 1;
        const int Out = 2;
        const int Urgent = 5;
        const int HangUp = 6;
        const PollEvents OfWriters = PollEvents.Writable | PollEvents.WriteBand | PollEvents.Error;
        bool isIn = file->IsReadable && (events & ~OfWriters) != 0;
        bool isOver = file->Kind == FileKind.Socket && (file->Operations.Poll(file) & PollEvents.HangUp) != 0;
        bool isUrgent = (events & PollEvents.Priority) != 0;
        int reason = isOver ? HangUp : isUrgent ? Urgent : isIn ? In : Out;
        uint band = reason switch { In => 0x41u, Out => 0x304u, Urgent => 0x82u, _ => 0x18u };
        return Details(reason, band, Descriptor);
    }

    /// <summary>
    /// What a signal of F_SETSIG says: the events (si_band), which stand where others have a sender, and the descriptor (si_fd), which
    /// stands where others have a value. Signals with codes of their own have another code for it.
    /// </summary>
    private readonly SignalInfo Details(int reason, uint band, int descriptor)
    {
        const ulong WithCodes = (1UL << (Lego.Processor.Signal.IllegalInstruction - 1)) | (1UL << (Lego.Processor.Signal.FloatingPoint - 1))
            | (1UL << (Lego.Processor.Signal.SegmentationFault - 1)) | (1UL << (Lego.Processor.Signal.BusError - 1))
            | (1UL << (Lego.Processor.Signal.Trap - 1)) | (1UL << (Lego.Processor.Signal.Child - 1))
            | (1UL << (Lego.Processor.Signal.BadSystemCall - 1));
        return new SignalInfo
        {
            Number = Signal,
            Code = (WithCodes & Lego.Processor.Signal.Bit(Signal)) != 0 ? SignalCode.InputOutput : reason,
            ProcessId = band,
            Value = (uint)descriptor,
        };
    }

    private static bool HasMembers(Process* viewer, uint group)
    {
        Process* process = viewer->Table.First;
        while (process != null && (process->Group != group || !Visibility.Sees(viewer, process)))
        {
            process = process->Next;
        }

        return process != null;
    }

    /// <summary>As kill(2).</summary>
    private readonly bool MaySignal(Process* process) =>
        _effectiveUserId == 0 || _effectiveUserId == process->SavedUserId || _effectiveUserId == process->UserId
        || _userId == process->SavedUserId || _userId == process->UserId;
}
