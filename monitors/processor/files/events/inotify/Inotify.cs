// Who watches which file (inotify(7)), and telling them. A watch hangs on the file's node, which it keeps open, so that a watched file that
// loses its last name goes with its last open file as ever (FileNodes.Release tells of that). What happens to a file is told to those who
// watch it and to those who watch the directory that its path names; a path is found by its hash. As long as nobody watches anything
// (IsWatching), nothing is looked for.
//
// Only what programs of this component do is told: other components' changes are theirs, as with other clients of a network file system
// (inotify(7), "Limitations and caveats").

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>All instances and their watches.</summary>
public sealed unsafe partial class Inotify
{
    /// <summary>max_user_instances.</summary>
    public const uint MostInstances = 128;

    /// <summary>max_user_watches.</summary>
    public const uint MostWatches = 8192;

    /// <summary>Events that wait in all queues together; beyond it queues overflow.</summary>
    private const ulong MostEvents = 2 * InotifyInstance.MostQueued;

    private const uint BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly FileSystem _files;
    private readonly Slab<InotifyInstance> _instances;
    private readonly Slab<InotifyWatch> _watches;
    private readonly Slab<WatchedFile> _watched;
    private readonly Slab<InotifyEvent> _events;
    private readonly Slab<DirectoryNotice> _notices;
    private readonly WatchedFile** _buckets;
    private InotifyInstance* _first;
    private uint _lastCookie;

    /// <summary>Takes the memory of the table; boot time.</summary>
    public Inotify(FileSystem files)
    {
        _files = files;
        _instances = new Slab<InotifyInstance>(files.Frames);
        _watches = new Slab<InotifyWatch>(files.Frames);
        _watched = new Slab<WatchedFile>(files.Frames);
        _events = new Slab<InotifyEvent>(files.Frames, MostEvents);
        _notices = new Slab<DirectoryNotice>(files.Frames);
        _buckets = (WatchedFile**)files.Frames.AllocateCleared();
        if (_buckets == null)
        {
            Panic.Because("Inotify: no memory");
        }
    }

    /// <summary>False: nobody is to be told of anything.</summary>
    public bool IsWatching => _watched.InUse != 0;

    /// <summary>Watches of all instances.</summary>
    public ulong Count => _watches.InUse;

    /// <summary>What joins the two events of one rename.</summary>
    public uint NextCookie() => ++_lastCookie;

    /// <summary>A new instance of a user. EMFILE: he has too many; ENOMEM.</summary>
    public Errno Create(uint userId, out InotifyInstance* instance)
    {
        instance = null;
        uint count = 0;
        for (InotifyInstance* other = _first; other != null; other = other->Next)
        {
            count += other->UserId == userId ? 1u : 0;
        }

        if (count >= MostInstances)
        {
            return Errno.EMFILE;
        }

        InotifyEvent* overflow = _events.Allocate();
        instance = overflow == null ? null : _instances.Allocate();
        if (instance == null)
        {
            if (overflow != null)
            {
                _events.Free(overflow);
            }

            return Errno.ENOMEM;
        }

        overflow->Record = new InotifyRecord { Watch = -1, Mask = InotifyMask.QueueOverflow };
        instance->UserId = userId;
        instance->Overflow = overflow;
        instance->Next = _first;
        _first = instance;
        return Errno.None;
    }

    /// <summary>Nobody refers to an instance any more.</summary>
    [Blocks]
    public void End(InotifyInstance* instance)
    {
        InotifyInstance* previous = null;
        for (InotifyInstance* other = _first; other != instance; other = other->Next)
        {
            previous = other;
        }

        if (previous == null)
        {
            _first = instance->Next;
        }
        else
        {
            previous->Next = instance->Next;
        }

        while (instance->First != null)
        {
            WatchedFile* file = instance->First->File;
            Unlink(instance->First);
            DropIfUnwatched(file);
        }

        while (instance->FirstEvent != null)
        {
            Take(instance);
        }

        _events.Free(instance->Overflow);
        _instances.Free(instance);
    }

    /// <summary>
    /// Watches a file, whose node the caller holds, or changes its watch; the watch's number. EEXIST: IN_MASK_CREATE and there is one;
    /// ENOSPC: the user has too many; ENOMEM.
    /// </summary>
    public Errno Watch(InotifyInstance* instance, FileNode* node, InotifyMask mask, out int number)
    {
        InotifyWatch* watch = node->Watched == null ? null : node->Watched->First;
        while (watch != null && watch->Instance != instance)
        {
            watch = watch->NextOfFile;
        }

        number = watch == null ? 0 : watch->Number;
        if (watch != null && (mask & InotifyMask.MaskCreate) != 0)
        {
            return Errno.EEXIST;
        }

        if (watch != null)
        {
            watch->Mask = (mask & InotifyMask.Remembered) | ((mask & InotifyMask.MaskAdd) != 0 ? watch->Mask : InotifyMask.None);
            return Errno.None;
        }

        if (WatchesOf(instance->UserId) >= MostWatches)
        {
            return Errno.ENOSPC;
        }

        watch = _watches.Allocate();
        WatchedFile* file = watch == null ? null : node->Watched != null ? node->Watched : Add(node);
        if (file == null)
        {
            if (watch != null)
            {
                _watches.Free(watch);
            }

            return Errno.ENOMEM;
        }

        instance->Watches++;
        instance->LastNumber = instance->LastNumber == int.MaxValue ? 1 : instance->LastNumber + 1;
        number = instance->LastNumber;
        watch->Number = number;
        watch->Mask = mask & InotifyMask.Remembered;
        watch->Instance = instance;
        watch->File = file;
        watch->NextOfFile = file->First;
        file->First = watch;
        watch->NextOfInstance = instance->First;
        instance->First = watch;
        return Errno.None;
    }

    /// <summary>Ends a watch; its instance reads that it is gone. EINVAL: there is none of that number.</summary>
    [Blocks]
    public Errno Remove(InotifyInstance* instance, int number)
    {
        InotifyWatch* watch = instance->First;
        while (watch != null && watch->Number != number)
        {
            watch = watch->NextOfInstance;
        }

        if (watch == null)
        {
            return Errno.EINVAL;
        }

        WatchedFile* file = watch->File;
        End(watch);
        DropIfUnwatched(file);
        return Errno.None;
    }

    /// <summary>Paths of files have changed.</summary>
    public void OnMoved()
    {
        WatchedFile* all = null;
        for (uint bucket = 0; bucket < BucketCount; bucket++)
        {
            while (_buckets[bucket] != null)
            {
                WatchedFile* file = _buckets[bucket];
                _buckets[bucket] = file->NextInBucket;
                file->NextInBucket = all;
                all = file;
            }
        }

        while (all != null)
        {
            WatchedFile* next = all->NextInBucket;
            List(all);
            all = next;
        }
    }

    private uint WatchesOf(uint userId)
    {
        uint count = 0;
        for (InotifyInstance* instance = _first; instance != null; instance = instance->Next)
        {
            count += instance->UserId == userId ? instance->Watches : 0;
        }

        return count;
    }

    private WatchedFile* Add(FileNode* node)
    {
        WatchedFile* file = _watched.Allocate();
        if (file != null)
        {
            node->References++;
            node->Watched = file;
            file->Node = node;
            List(file);
        }

        return file;
    }

    private void List(WatchedFile* file)
    {
        file->PathHash = HashOf(file->Node->Path);
        file->NextInBucket = _buckets[file->PathHash % BucketCount];
        _buckets[file->PathHash % BucketCount] = file;
    }

    /// <summary>The watch ends, and says so.</summary>
    private void End(InotifyWatch* watch)
    {
        Queue(watch->Instance, watch->Number, InotifyMask.Ignored, 0, default);
        Unlink(watch);
    }

    private void Unlink(InotifyWatch* watch)
    {
        InotifyWatch** link = &watch->File->First;
        while (*link != watch)
        {
            link = &(*link)->NextOfFile;
        }

        *link = watch->NextOfFile;
        link = &watch->Instance->First;
        while (*link != watch)
        {
            link = &(*link)->NextOfInstance;
        }

        *link = watch->NextOfInstance;
        watch->Instance->Watches--;
        _watches.Free(watch);
    }

    /// <summary>Gives the node back when nobody watches it any more.</summary>
    [Blocks]
    private void DropIfUnwatched(WatchedFile* file)
    {
        if (file->First != null || file->Notices != null)
        {
            return;
        }

        FileNode* node = file->Node;
        WatchedFile** link = &_buckets[file->PathHash % BucketCount];
        while (*link != file)
        {
            link = &(*link)->NextInBucket;
        }

        *link = file->NextInBucket;
        _watched.Free(file);
        node->Watched = null;
        _files.Nodes.Release(node);
    }

    private static uint HashOf(ReadOnlySpan<byte> path) => Crc32c.Add(0, path);
}
