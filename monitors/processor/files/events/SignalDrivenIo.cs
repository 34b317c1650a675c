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

    /// <summary>The owner that F_GETOWN tells as this number; nobody is a thread, as on Linux.</summary>
    public static FileOwner Of(int id) =>
        new() { Kind = id < 0 ? Group : id > 0 ? Process : Thread, Id = id < 0 ? -id : id };
}

/// <summary>The owner of an open file.</summary>
public unsafe struct SignalDrivenIo
{
    /// <summary>The next open file of the same object that sends signals (Watchers).</summary>
    public OpenFile* NextOfObject;
    private ProcessReference _process;
    private uint _group;
    /// <summary>Who has set the owner: signals are sent with that user's permission.</summary>
    private uint _userId;
    private uint _effectiveUserId;

    /// <summary>What sends signals here: pipes, sockets and standard streams. Others remember an owner only.</summary>
    public static bool IsOffered(OpenFile* file) => file->Kind is FileKind.Pipe or FileKind.Socket or FileKind.StandardStream;

    /// <summary>Sets or clears O_ASYNC, where it has an effect.</summary>
    public static void Switch(OpenFile* file, bool isOn)
    {
        if (!IsOffered(file) || isOn == ((file->Flags & OpenFlags.Async) != 0))
        {
            return;
        }

        Watchers* watchers = file->Operations.WatchersOf(file);
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

    /// <summary>F_SETOWN: a process, a group as a negative number, 0 for nobody. ESRCH: there is none; EINVAL: not a group.</summary>
    public Errno SetOwner(Process* setter, int id)
    {
        if (id == int.MinValue)
        {
            return Errno.EINVAL;
        }

        Process* process = id > 0 ? setter->Table.Find((uint)id) : null;
        if ((id > 0 && process == null) || (id < 0 && !HasMembers(setter->Table, (uint)-id)))
        {
            return Errno.ESRCH;
        }

        _process = process == null ? default : ProcessReference.Of(process);
        _group = id < 0 ? (uint)-id : 0;
        _userId = setter->UserId;
        _effectiveUserId = setter->EffectiveUserId;
        return Errno.None;
    }

    /// <summary>F_SETOWN_EX. EINVAL: a thread, or an unknown kind.</summary>
    public Errno SetOwner(Process* setter, FileOwner owner) =>
        owner.Id < 0 ? Errno.ESRCH
        : owner is { Id: 0, Kind: FileOwner.Thread } ? SetOwner(setter, 0)
        : owner.Kind == FileOwner.Process ? SetOwner(setter, owner.Id)
        : owner.Kind == FileOwner.Group ? SetOwner(setter, -owner.Id)
        : Errno.EINVAL;

    /// <summary>F_GETOWN: as it was set; 0 when the process is gone.</summary>
    public readonly int GetOwner(Processes table) => _group != 0 ? -(int)_group : _process.Find(table) != null ? (int)_process.Id : 0;

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

        Send(file, Signal.Poll);
    }

    /// <summary>The owner of a socket hears of urgent data by SIGURG, with O_ASYNC or without (tcp(7); send_sigurg of Linux).</summary>
    public static void TellOfUrgentData(OpenFile* file)
    {
        ref SignalDrivenIo io = ref file->SignalDriven;
        if (io._group != 0 || io._process.Id != 0)
        {
            Send(file, Signal.Urgent);
        }
    }

    private static void Send(OpenFile* file, int signal)
    {
        ref SignalDrivenIo io = ref file->SignalDriven;
        Processes table = file->Operations.Files.Processes;
        SignalInfo info = new() { Number = signal, Code = SignalCode.Kernel };
        for (Process* process = table.First; process != null; process = process->Next)
        {
            bool isOwner = io._group != 0 ? process->Group == io._group : io._process.Find(table) == process;
            if (isOwner && io.MaySignal(process))
            {
                Signals.Send(process, in info);
            }
        }
    }

    private static bool HasMembers(Processes table, uint group)
    {
        Process* process = table.First;
        while (process != null && process->Group != group)
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
