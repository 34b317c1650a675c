// What happens to files becomes events of those who watch (inotify(7)). An event that says the same as the last one that is not read yet is
// not queued; a full queue ends in one event that says that others were lost.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class Inotify
{
    /// <summary>Something happened to a file, whose node the caller holds: its directory hears of it, by name, then it itself.</summary>
    [Blocks]
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Tell(FileNode* node, InotifyMask what)
    {
        // Every read and write comes here.
        if (IsWatching && node->Memory == null)
        {
            TellAll(node, what);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void TellAll(FileNode* node, InotifyMask what)
    {
        TellDirectory(node, what);
        TellSelf(node, what);
    }

    /// <summary>Only the directory hears of it: the file was made.</summary>
    [Blocks]
    public void TellDirectory(FileNode* node, InotifyMask what)
    {
        ReadOnlySpan<byte> path = node->Path;
        if (IsWatching && path.Length > 1)
        {
            bool isUnlinked = node->IsUnlinked;
            TellName(node->VNode, PathText.DirectoryOf(path), PathText.LastComponent(path), what | TypeOf(node), 0, isUnlinked);
        }
    }

    /// <summary>Only those who watch the file itself hear of it. The node need not be held (it may be a kept one), nor be there.</summary>
    [Blocks]
    public void TellSelf(FileNode* node, InotifyMask what)
    {
        if (node != null && node->Watched != null)
        {
            Deliver(node->Watched, what | TypeOf(node), 0, default, isUnlinked: false);
        }
    }

    /// <summary>Something happened to a name in a directory, which the caller holds.</summary>
    [Blocks]
    public void TellName(FileNode* directory, scoped ReadOnlySpan<byte> name, InotifyMask what)
    {
        if (directory->Watched != null)
        {
            Deliver(directory->Watched, what, 0, name, isUnlinked: false);
        }
    }

    /// <summary>The same by the directory's canonical path in a vNode's tree: the same path of another one is another directory.</summary>
    [Blocks]
    public void TellName(
        ushort vnode, scoped ReadOnlySpan<byte> directory, scoped ReadOnlySpan<byte> name, InotifyMask what, uint cookie,
        bool isUnlinked = false)
    {
        uint hash = HashOf(directory);
        WatchedFile* file = _buckets[hash % BucketCount];
        while (file != null && !(file->PathHash == hash && !file->Node->IsUnlinked && file->Node->IsDirectory
            && file->Node->VNode == vnode && file->Node->Path.SequenceEqual(directory)))
        {
            file = file->NextInBucket;
        }

        if (file != null)
        {
            Deliver(file, what, cookie, name, isUnlinked);
        }
    }

    /// <summary>A file without a name is only held by its watches: it goes.</summary>
    [Blocks]
    public void OnGone(WatchedFile* file)
    {
        for (InotifyWatch* watch = file->First; watch != null; watch = file->First)
        {
            if ((watch->Mask & InotifyMask.DeleteSelf) != 0)
            {
                Queue(watch->Instance, watch->Number, InotifyMask.DeleteSelf, 0, default);
            }

            End(watch);
        }

        DropIfUnwatched(file);
    }

    /// <summary>IN_ISDIR for a directory.</summary>
    public static InotifyMask TypeOf(FileNode* node) => node->IsDirectory ? InotifyMask.IsDirectory : InotifyMask.None;

    /// <summary>Takes the next event, of which there is one.</summary>
    internal InotifyEvent Take(InotifyInstance* instance)
    {
        InotifyEvent* first = instance->FirstEvent;
        InotifyEvent taken = *first;
        instance->FirstEvent = first->Next;
        instance->LastEvent = first->Next == null ? null : instance->LastEvent;
        instance->QueuedBytes -= (ulong)sizeof(InotifyRecord) + first->Record.NameBytes;
        if (first == instance->Overflow)
        {
            instance->IsOverflowQueued = false;
        }
        else
        {
            instance->Queued--;
            _events.Free(first);
        }

        return taken;
    }

    [Blocks]
    private void Deliver(WatchedFile* file, InotifyMask what, uint cookie, scoped ReadOnlySpan<byte> name, bool isUnlinked)
    {
        InotifyWatch* next;
        for (InotifyWatch* watch = file->First; watch != null; watch = next)
        {
            next = watch->NextOfFile;
            if ((watch->Mask & what & InotifyMask.AllEvents) == 0 || (isUnlinked && (watch->Mask & InotifyMask.ExcludeUnlinked) != 0))
            {
                continue;
            }

            // What happens to a directory's own name is told without its type.
            InotifyMask told = (what & InotifyMask.MoveSelf) != 0 ? what & ~InotifyMask.IsDirectory : what;
            Queue(watch->Instance, watch->Number, told, cookie, name);
            if ((watch->Mask & InotifyMask.OneShot) != 0)
            {
                End(watch);
            }
        }

        TellOwners(file, what);
        DropIfUnwatched(file);
    }

    private void Queue(InotifyInstance* instance, int watch, InotifyMask what, uint cookie, scoped ReadOnlySpan<byte> name)
    {
        InotifyEvent* last = instance->LastEvent;
        bool isSame = last != null && last->Record.Watch == watch && last->Record.Mask == what && what != InotifyMask.Ignored
            && last->Name.SequenceEqual(name);
        if (isSame)
        {
            return;
        }

        InotifyEvent* queued = instance->Queued < InotifyInstance.MostQueued ? _events.Allocate() : null;
        if (queued == null)
        {
            if (!instance->IsOverflowQueued)
            {
                instance->IsOverflowQueued = true;
                Append(instance, instance->Overflow);
            }

            return;
        }

        queued->Record = new InotifyRecord { Watch = watch, Mask = what, Cookie = cookie };
        queued->SetName(name);
        instance->Queued++;
        Append(instance, queued);
    }

    private void Append(InotifyInstance* instance, InotifyEvent* queued)
    {
        queued->Next = null;
        if (instance->LastEvent == null)
        {
            instance->FirstEvent = queued;
        }
        else
        {
            instance->LastEvent->Next = queued;
        }

        instance->LastEvent = queued;
        instance->QueuedBytes += (ulong)sizeof(InotifyRecord) + queued->Record.NameBytes;
        instance->Arrived.WakeAll();
        _files.Readiness.Notify(ref instance->Watchers, PollEvents.Readable);
    }
}
