// What an epoll instance watches (epoll(7)): one entry for each pair of open file and descriptor number. An entry holds no reference to its
// file: when the file's last reference goes, its entries go with it (Forget). Entries are in two lists: the set's, in the order in which
// they report, and the file's.
//
// What an entry reports is asked of the file whenever somebody waits; it is not told. Edge-triggered entries (EPOLLET) compare the file's
// count of changes (FileOperations.ChangesOf) with the one that they reported last: something that was ready and is ready again after a
// change is reported again, as Linux does for each wake-up. Nothing here blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Flags of an epoll entry beside the events of poll.</summary>
[System.Flags]
public enum EpollFlags : uint
{
    /// <summary>EPOLLEXCLUSIVE: at least one of several waiters hears of it. Here all do.</summary>
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
    public int Descriptor;
    public PollEvents Wanted;
    public EpollFlags Flags;
    /// <summary>What the program gets back.</summary>
    public ulong Data;
    /// <summary>A one-shot entry that has reported: silent until it is changed.</summary>
    public bool IsSpent;
    /// <summary>New or changed: reports whatever is ready, edge or not.</summary>
    public bool IsFresh;
    /// <summary>The file's changes when it last reported.</summary>
    public ulong ReportedChanges;
    /// <summary>Number of its last report.</summary>
    public ulong Report;
    /// <summary>The round of waiting in which its file was asked for input (FileOperations.Prompt).</summary>
    public ulong PromptedRound;
    public EpollEntry* Next;
    public EpollEntry* Previous;
    public EpollEntry* NextOfFile;
}

/// <summary>One epoll instance.</summary>
public unsafe struct EpollSet
{
    private const PollEvents AlwaysReported = PollEvents.Error | PollEvents.HangUp;

    public EpollEntry* First;
    public EpollEntry* Last;
    /// <summary>Reports so far.</summary>
    public ulong Reports;
    /// <summary>How often an entry has been taken out or has moved: whoever walks and has waited begins again then.</summary>
    public ulong Moves;
    /// <summary>Rounds of waiting so far.</summary>
    public ulong Round;

    /// <summary>The entry of a file under a descriptor number, or null.</summary>
    public readonly EpollEntry* Find(OpenFile* file, int descriptor)
    {
        EpollEntry* entry = First;
        while (entry != null && (entry->File != file || entry->Descriptor != descriptor))
        {
            entry = entry->Next;
        }

        return entry;
    }

    /// <summary>Adds an allocated entry whose file, descriptor and wishes are set.</summary>
    public static void Add(EpollSet* set, EpollEntry* entry)
    {
        entry->Set = set;
        entry->IsFresh = true;
        entry->NextOfFile = entry->File->Watches;
        entry->File->Watches = entry;
        Append(set, entry);
    }

    /// <summary>Takes an entry out of both lists.</summary>
    public static void Remove(EpollEntry* entry)
    {
        Unlink(entry->Set, entry);
        EpollEntry** link = &entry->File->Watches;
        while (*link != entry)
        {
            link = &(*link)->NextOfFile;
        }

        *link = entry->NextOfFile;
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

    /// <summary>What an entry reports now.</summary>
    public static PollEvents ReadyOf(EpollEntry* entry)
    {
        if (entry->IsSpent)
        {
            return PollEvents.None;
        }

        FileOperations operations = entry->File->Operations;
        bool isEdge = (entry->Flags & EpollFlags.EdgeTriggered) != 0;
        return isEdge && !entry->IsFresh && operations.ChangesOf(entry->File) == entry->ReportedChanges
            ? PollEvents.None
            : operations.Poll(entry->File) & (entry->Wanted | AlwaysReported);
    }

    /// <summary>An entry has been reported: the others have their turn first next time.</summary>
    public static void Reported(EpollEntry* entry)
    {
        entry->IsFresh = false;
        entry->ReportedChanges = entry->File->Operations.ChangesOf(entry->File);
        entry->IsSpent = (entry->Flags & EpollFlags.OneShot) != 0;
        entry->Report = ++entry->Set->Reports;
        Unlink(entry->Set, entry);
        Append(entry->Set, entry);
    }

    /// <summary>Reports with numbers above one, up to another, have not reached the program: what they told is still to be told.</summary>
    public readonly void TakeBack(ulong after, ulong last)
    {
        for (EpollEntry* entry = First; entry != null; entry = entry->Next)
        {
            if (entry->Report > after && entry->Report <= last)
            {
                entry->IsFresh = true;
                entry->IsSpent = false;
            }
        }
    }

    private static void Append(EpollSet* set, EpollEntry* entry)
    {
        entry->Next = null;
        entry->Previous = set->Last;
        *(set->Last == null ? &set->First : &set->Last->Next) = entry;
        set->Last = entry;
    }

    private static void Unlink(EpollSet* set, EpollEntry* entry)
    {
        *(entry->Previous == null ? &set->First : &entry->Previous->Next) = entry->Next;
        *(entry->Next == null ? &set->Last : &entry->Next->Previous) = entry->Previous;
        set->Moves++;
    }
}
