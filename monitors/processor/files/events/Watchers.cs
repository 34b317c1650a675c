// Who is told of the changes of one object (a pipe, a socket, a counter): epoll entries, and open files that tell their owners by a signal.
// Embedded in the object, which stays where it is; zero-initialised = nobody. Every entry belongs to one open file on the object and leaves
// with it (EpollSet.Forget, SignalDrivenIo.Switch), so both lists are empty when the object ends. Nothing here blocks.

namespace Lego.Processor;

/// <summary>The entries that watch one object, exclusive ones last.</summary>
public unsafe struct Watchers
{
    private EpollEntry* _first;
    private OpenFile* _firstSignalling;

    /// <summary>The first one; EpollEntry.NextOfObject leads on.</summary>
    public readonly EpollEntry* First => _first;

    /// <summary>An entry begins to hear of changes.</summary>
    public static void Add(Watchers* watchers, EpollEntry* entry)
    {
        EpollEntry** link = &watchers->_first;
        while (*link != null && (entry->Flags & EpollFlags.Exclusive) != 0)
        {
            link = &(*link)->NextOfObject;
        }

        entry->Object = watchers;
        entry->NextOfObject = *link;
        *link = entry;
    }

    /// <summary>An entry hears nothing any more.</summary>
    public static void Remove(EpollEntry* entry)
    {
        EpollEntry** link = &entry->Object->_first;
        while (*link != entry)
        {
            link = &(*link)->NextOfObject;
        }

        *link = entry->NextOfObject;
    }

    /// <summary>An open file on the object begins to tell its owner.</summary>
    public static void Add(Watchers* watchers, OpenFile* file)
    {
        file->SignalDriven.NextOfObject = watchers->_firstSignalling;
        watchers->_firstSignalling = file;
    }

    /// <summary>An open file tells its owner nothing any more.</summary>
    public static void Remove(Watchers* watchers, OpenFile* file)
    {
        OpenFile** link = &watchers->_firstSignalling;
        while (*link != file)
        {
            link = &(*link)->SignalDriven.NextOfObject;
        }

        *link = file->SignalDriven.NextOfObject;
    }

    /// <summary>
    /// Some of these events may have become true. Of the exclusive entries, those are told up to the first one for which somebody waits
    /// (epoll_ctl(2), EPOLLEXCLUSIVE).
    /// </summary>
    public readonly void Tell(PollEvents events)
    {
        for (OpenFile* file = _firstSignalling; file != null; file = file->SignalDriven.NextOfObject)
        {
            SignalDrivenIo.Tell(file, events);
        }

        for (EpollEntry* entry = _first; entry != null; entry = entry->NextOfObject)
        {
            bool isHeard = EpollSet.Hear(entry, events);
            if (isHeard && (entry->Flags & EpollFlags.Exclusive) != 0)
            {
                return;
            }
        }
    }
}
