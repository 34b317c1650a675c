// What an epoll instance watches (epoll(7)): one entry for each pair of open file and descriptor number. An entry holds no reference to its
// file: when the file's last reference goes, its entries go with it (Forget). An entry is in four lists:
//   the set's         all that it watches
//   the file's        to be forgotten with it, and to be found
//   the object's      whoever is told of its changes (Watchers)
//   the ready list    what may have something to report; the only one that a wait looks at
//
// An entry enters the ready list when its object tells of an event that it wants, and leaves it when it turns out not to be ready, or when
// it has reported and is edge-triggered or one-shot: those report again after the next change, as Linux does for each wake-up. A
// level-triggered one stays, behind the others. Nothing here blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Flags of an epoll entry beside the events of poll.</summary>
[System.Flags]
public enum EpollFlags : uint
{
    /// <summary>EPOLLEXCLUSIVE: at least one of several waiters hears of it.</summary>
    Exclusive = 1u << 28,
    /// <summary>EPOLLWAKEUP: for machines that suspend.</summary>
    WakeUp = 1u << 29,
    OneShot = 1u << 30,
    EdgeTriggered = 1u << 31,
    All = Exclusive | WakeUp | OneShot | EdgeTriggered,
}

/// <summary>One watched file.</summary>
public unsafe struct EpollEntry
{
    public EpollSet* Set;
    public OpenFile* File;
    public Watchers* Object;
    public int Descriptor;
    public PollEvents Wanted;
    public EpollFlags Flags;
    /// <summary>What the program gets back.</summary>
    public ulong Data;
    /// <summary>A one-shot entry that has reported: silent until it is changed.</summary>
    public bool IsSpent;
    /// <summary>It is in the ready list.</summary>
    public bool IsCandidate;
    /// <summary>Number of its last report.</summary>
    public ulong Report;
    /// <summary>The round of waiting in which its file was asked for input (FileOperations.Prompt).</summary>
    public ulong PromptedRound;
    public EpollEntry* Next;
    public EpollEntry* Previous;
    public EpollEntry* NextOfFile;
    public EpollEntry* NextOfObject;
    public EpollEntry* NextReady;
    public EpollEntry* PreviousReady;
}

/// <summary>One epoll instance.</summary>
public unsafe struct EpollSet
{
    private const PollEvents AlwaysReported = PollEvents.Error | PollEvents.HangUp;

    public EpollEntry* First;
    public EpollEntry* FirstReady;
    public EpollEntry* LastReady;
    /// <summary>Threads that wait for a report, each of which takes what it finds: one is woken at a time.</summary>
    public WaitQueue Waiters;
    /// <summary>Instances that watch this one, and the file system whose pollers may look at it.</summary>
    public Watchers Watchers;
    public ObjectPointer<FileSystem> Files;
    /// <summary>Reports so far.</summary>
    public ulong Reports;
    /// <summary>Entries whose files have to be asked (FileOperations.IsPrompted).</summary>
    public uint Prompted;
    /// <summary>How often an entry has been taken out: whoever walks and has waited begins again then.</summary>
    public ulong Removals;
    /// <summary>Rounds of waiting so far.</summary>
    public ulong Round;
    /// <summary>The search for a loop that has come by (EpollNesting).</summary>
    public ulong Visited;
    /// <summary>What that search has found: levels of instances beyond this one.</summary>
    public int Depth;

    /// <summary>The entry of a file under a descriptor number, or null.</summary>
    public static EpollEntry* Find(EpollSet* set, OpenFile* file, int descriptor)
    {
        EpollEntry* entry = file->Watches;
        while (entry != null && (entry->Set != set || entry->Descriptor != descriptor))
        {
            entry = entry->NextOfFile;
        }

        return entry;
    }

    /// <summary>Adds an allocated entry whose file, descriptor and wishes are set.</summary>
    public static void Add(EpollSet* set, EpollEntry* entry)
    {
        FileOperations operations = entry->File->Operations;
        entry->Set = set;
        entry->NextOfFile = entry->File->Watches;
        entry->File->Watches = entry;
        entry->Next = set->First;
        if (set->First != null)
        {
            set->First->Previous = entry;
        }

        set->First = entry;
        set->Prompted += operations.IsPrompted ? 1u : 0;
        Watchers.Add(operations.WatchersOf(entry->File), entry);
        Renew(entry);
    }

    /// <summary>An entry is new, or wants something else: it reports whatever is ready, edge or not.</summary>
    public static void Renew(EpollEntry* entry)
    {
        entry->IsSpent = false;
        if (ReadyOf(entry) != PollEvents.None)
        {
            Enter(entry);
        }
    }

    /// <summary>Takes an entry out of all lists.</summary>
    public static void Remove(EpollEntry* entry)
    {
        EpollSet* set = entry->Set;
        Watchers.Remove(entry);
        Leave(entry);
        *(entry->Previous == null ? &set->First : &entry->Previous->Next) = entry->Next;
        if (entry->Next != null)
        {
            entry->Next->Previous = entry->Previous;
        }

        EpollEntry** link = &entry->File->Watches;
        while (*link != entry)
        {
            link = &(*link)->NextOfFile;
        }

        *link = entry->NextOfFile;
        set->Prompted -= entry->File->Operations.IsPrompted ? 1u : 0;
        set->Removals++;
    }

    /// <summary>An open file ends: nobody watches it any more.</summary>
    public static void Forget(FileSystem files, OpenFile* file)
    {
        while (file->Watches != null)
        {
            EpollEntry* entry = file->Watches;
            Remove(entry);
            files.EpollEntries.Free(entry);
        }
    }

    /// <summary>Its object tells an entry of events; true when somebody who waits for it was woken.</summary>
    public static bool Hear(EpollEntry* entry, PollEvents events)
    {
        PollEvents wanted = entry->Wanted | AlwaysReported;
        wanted &= entry->File->IsReadable ? wanted : ~(PollEvents.Readable | PollEvents.ReadHangUp);
        wanted &= entry->File->IsWritable ? wanted : ~(PollEvents.Writable | PollEvents.WriteBand);
        return !entry->IsSpent && (events & wanted) != 0 && Enter(entry);
    }

    /// <summary>What an entry reports now.</summary>
    public static PollEvents ReadyOf(EpollEntry* entry) =>
        entry->IsSpent ? PollEvents.None : entry->File->Operations.Poll(entry->File) & (entry->Wanted | AlwaysReported);

    /// <summary>An entry of the ready list has been reported: the others have their turn first next time.</summary>
    public static void Reported(EpollEntry* entry)
    {
        entry->IsSpent = (entry->Flags & EpollFlags.OneShot) != 0;
        entry->Report = ++entry->Set->Reports;
        Leave(entry);
        if ((entry->Flags & (EpollFlags.OneShot | EpollFlags.EdgeTriggered)) == 0)
        {
            Append(entry);
        }
    }

    /// <summary>An entry leaves the ready list, if it is in it.</summary>
    public static void Leave(EpollEntry* entry)
    {
        if (!entry->IsCandidate)
        {
            return;
        }

        EpollSet* set = entry->Set;
        entry->IsCandidate = false;
        *(entry->PreviousReady == null ? &set->FirstReady : &entry->PreviousReady->NextReady) = entry->NextReady;
        *(entry->NextReady == null ? &set->LastReady : &entry->NextReady->PreviousReady) = entry->PreviousReady;
    }

    /// <summary>Reports with numbers above one, up to another, have not reached the program: what they told is still to be told.</summary>
    public static void TakeBack(EpollSet* set, ulong after, ulong last)
    {
        for (EpollEntry* entry = set->First; entry != null; entry = entry->Next)
        {
            if (entry->Report > after && entry->Report <= last)
            {
                entry->IsSpent = false;
                Enter(entry);
            }
        }
    }

    /// <summary>An entry may have something to report; true when a waiting thread was woken for it.</summary>
    private static bool Enter(EpollEntry* entry)
    {
        if (!entry->IsCandidate)
        {
            Append(entry);
        }

        EpollSet* set = entry->Set;
        bool isAwaited = !set->Waiters.IsEmpty;
        set->Waiters.WakeOne();
        set->Files.Target.Readiness.Notify(ref set->Watchers, PollEvents.Readable);
        return isAwaited;
    }

    private static void Append(EpollEntry* entry)
    {
        EpollSet* set = entry->Set;
        entry->IsCandidate = true;
        entry->NextReady = null;
        entry->PreviousReady = set->LastReady;
        *(set->LastReady == null ? &set->FirstReady : &set->LastReady->NextReady) = entry;
        set->LastReady = entry;
    }
}
