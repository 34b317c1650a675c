// All processes of a processor component: their memory (slabs), ids and family tree. Never blocks. Running out of memory is an error value.
// There is no init process: the id 1 stays unused, a process whose parent has ended has none, and its zombie disappears at once.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The process table.</summary>
public static unsafe class Processes
{
    /// <summary>getppid of a process without a parent: where Linux would say init.</summary>
    public const uint AbsentParentId = 1;

    /// <summary>Ids are below this (pid_max of a small Linux machine); then they start again.</summary>
    public const uint IdLimit = 32768;

    /// <summary>Most processes at a time; fork fails with EAGAIN beyond.</summary>
    public const ulong MaxProcesses = 4096;

    /// <summary>Most signals with details that wait for delivery in the whole component.</summary>
    private const ulong MaxPendingSignals = 16384;

    private const uint FirstId = 2;
    private const int BucketCount = PageOperations.PageSize / sizeof(ulong);

    private static FrameAllocator? s_frames;
    private static Slab<Process>? s_processes;
    private static Slab<UserThread>? s_threads;
    private static Slab<AddressSpace>? s_spaces;
    private static Slab<SignalActions>? s_actions;
    private static Slab<PendingSignal>? s_pendingSignals;
    private static Process** s_buckets;
    private static Process* s_first;
    private static Process* s_last;
    private static uint s_nextId;
    private static ulong s_created;

    /// <summary>Oldest process; follow Process.Next for the others.</summary>
    public static Process* First => s_first;

    /// <summary>Processes that exist now, zombies included.</summary>
    public static ulong Count => s_processes!.InUse;

    /// <summary>Processes ever created (the "processes" line of /proc/stat).</summary>
    public static ulong Created => s_created;

    /// <summary>Id of the process created last (/proc/loadavg).</summary>
    public static uint LastId => s_nextId - 1;

    /// <summary>Memory for signals that wait for delivery.</summary>
    public static Slab<PendingSignal> PendingSignals => s_pendingSignals!;

    /// <summary>Memory for address spaces.</summary>
    public static Slab<AddressSpace> Spaces => s_spaces!;

    /// <summary>Makes an empty table; boot time.</summary>
    public static void Initialize(FrameAllocator frames)
    {
        s_frames = frames;
        s_processes = new Slab<Process>(frames, MaxProcesses);
        s_threads = new Slab<UserThread>(frames, MaxProcesses);
        s_spaces = new Slab<AddressSpace>(frames);
        s_actions = new Slab<SignalActions>(frames);
        s_pendingSignals = new Slab<PendingSignal>(frames, MaxPendingSignals);
        s_buckets = (Process**)frames.AllocateCleared();
        s_first = null;
        s_last = null;
        s_nextId = FirstId;
        s_created = 0;
        if (s_buckets == null)
        {
            Panic.Because("Processes.Initialize: no memory");
        }
    }

    /// <summary>The process with an id, zombies included; null when there is none.</summary>
    public static Process* Find(uint id)
    {
        Process* process = s_buckets[id % BucketCount];
        while (process != null && process->Id != id)
        {
            process = process->NextInBucket;
        }

        return process;
    }

    /// <summary>
    /// A new process (State Embryo) with one thread, default signal actions, two pages for paths and a fresh id; null when memory or ids are
    /// exhausted. Not in any family yet.
    /// </summary>
    public static Process* Create()
    {
        Process* process = s_processes!.Allocate();
        if (process == null)
        {
            return null;
        }

        process->Thread = s_threads!.Allocate();
        process->Actions = s_actions!.Allocate();
        process->Cwd = (byte*)s_frames!.AllocateCleared();
        process->Executable = (byte*)s_frames.AllocateCleared();
        uint id = process->Thread == null || process->Actions == null || process->Cwd == null || process->Executable == null ? 0 : NewId();
        if (id == 0)
        {
            FreeMemory(process);
            return null;
        }

        process->Id = id;
        process->Thread->Id = id;
        process->Thread->Process = process;
        process->ExitSignal = Signal.Child;
        process->Dumpable = 1;
        process->StartTimeNs = Clock.NowNs();
        process->NextInBucket = s_buckets[id % BucketCount];
        s_buckets[id % BucketCount] = process;
        process->Previous = s_last;
        if (s_last == null)
        {
            s_first = process;
        }
        else
        {
            s_last->Next = process;
        }

        s_last = process;
        s_created++;
        return process;
    }

    /// <summary>Makes a process the youngest child of another: the last of the list, so that wait finds older ones first.</summary>
    public static void Adopt(Process* parent, Process* child)
    {
        child->Parent = parent;
        child->YoungerSibling = null;
        child->OlderSibling = parent->FirstChild;
        if (parent->FirstChild == null)
        {
            parent->FirstChild = child;
            return;
        }

        while (child->OlderSibling->YoungerSibling != null)
        {
            child->OlderSibling = child->OlderSibling->YoungerSibling;
        }

        child->OlderSibling->YoungerSibling = child;
    }

    /// <summary>Leaves the parent's list of children.</summary>
    public static void Disown(Process* child)
    {
        if (child->Parent == null)
        {
            return;
        }

        if (child->OlderSibling == null)
        {
            child->Parent->FirstChild = child->YoungerSibling;
        }
        else
        {
            child->OlderSibling->YoungerSibling = child->YoungerSibling;
        }

        if (child->YoungerSibling != null)
        {
            child->YoungerSibling->OlderSibling = child->OlderSibling;
        }

        child->Parent = null;
        child->OlderSibling = null;
        child->YoungerSibling = null;
    }

    /// <summary>Removes a process that has ended, or never ran, and frees what is left of it.</summary>
    public static void Remove(Process* process)
    {
        Disown(process);
        Process** link = &s_buckets[process->Id % BucketCount];
        while (*link != process)
        {
            link = &(*link)->NextInBucket;
        }

        *link = process->NextInBucket;
        if (process->Previous == null)
        {
            s_first = process->Next;
        }
        else
        {
            process->Previous->Next = process->Next;
        }

        if (process->Next == null)
        {
            s_last = process->Previous;
        }
        else
        {
            process->Next->Previous = process->Previous;
        }

        FreeMemory(process);
    }

    /// <summary>Frees the thread's part of a process: the last thing that its own kernel thread does.</summary>
    public static void FreeThread(Process* process)
    {
        Signals.Clear(ref process->Thread->Pending);
        s_threads!.Free(process->Thread);
        process->Thread = null;
    }

    /// <summary>True when an id is in use as a process, group or session.</summary>
    public static bool IsGroupInSession(uint group, uint session)
    {
        for (Process* process = s_first; process != null; process = process->Next)
        {
            if (process->Group == group && process->SessionId == session)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Sets the command name from a path: its last component, cut to 15 bytes.</summary>
    public static void SetName(Process* process, ReadOnlySpan<byte> path)
    {
        int slash = path.LastIndexOf((byte)'/');
        ReadOnlySpan<byte> name = path.Slice(slash + 1);
        int length = Math.Min(name.Length, Process.NameBytes - 1);
        Span<byte> target = process->Name;
        target.Clear();
        name.Slice(0, length).CopyTo(target);
    }

    /// <summary>The NUL-terminated text in a page such as Process.Cwd.</summary>
    public static ReadOnlySpan<byte> TextOf(byte* page)
    {
        ReadOnlySpan<byte> all = new(page, PageOperations.PageSize);
        int end = all.IndexOf((byte)0);
        return end < 0 ? all : all.Slice(0, end);
    }

    /// <summary>Stores a text with its terminator in a page; false when it is too long.</summary>
    public static bool SetText(byte* page, ReadOnlySpan<byte> text)
    {
        if (text.Length >= PageOperations.PageSize)
        {
            return false;
        }

        text.CopyTo(new Span<byte>(page, PageOperations.PageSize));
        page[text.Length] = 0;
        return true;
    }

    private static uint NewId()
    {
        for (uint tries = 0; tries < IdLimit; tries++)
        {
            uint id = s_nextId;
            s_nextId = id + 1 == IdLimit ? FirstId : id + 1;
            if (IsFree(id))
            {
                return id;
            }
        }

        return 0;
    }

    private static bool IsFree(uint id)
    {
        // Ids below IdLimit came round at most once in a long time: the walk is needed only then.
        if (s_created < IdLimit - FirstId)
        {
            return true;
        }

        for (Process* process = s_first; process != null; process = process->Next)
        {
            if (process->Id == id || process->Group == id || process->SessionId == id)
            {
                return false;
            }
        }

        return true;
    }

    private static void FreeMemory(Process* process)
    {
        if (process->Thread != null)
        {
            FreeThread(process);
        }

        if (process->Actions != null)
        {
            s_actions!.Free(process->Actions);
        }

        if (process->Cwd != null)
        {
            s_frames!.Free(process->Cwd);
        }

        if (process->Executable != null)
        {
            s_frames!.Free(process->Executable);
        }

        Signals.Clear(ref process->Pending);
        s_processes!.Free(process);
    }
}
