// The table of nodes (FileNode.cs), by handle, with what happens to them: they are found, made, kept for a while when nobody refers to them
// any more (KeptNodes), and given back; names that move or go are followed. Never blocks except in Release and where it says so.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>All nodes, by handle.</summary>
public sealed unsafe class FileNodes
{
    private const uint BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly ObjectPointer<FileNodes> _self;
    private readonly FrameAllocator _frames;
    private readonly ExCache _cache;
    private readonly Slab<FileNode> _nodes;
    private readonly FileNode** _buckets;
    private KeptNodes _kept;
    private readonly Processes _processes;
    private readonly Slab<MemoryFile> _memoryFiles;
    private uint _lastObject;

    /// <summary>Takes the memory of the table; boot time.</summary>
    public FileNodes(Processes processes)
    {
        _self = new ObjectPointer<FileNodes>(this);
        _frames = processes.Frames;
        _cache = processes.Cache;
        _processes = processes;
        _nodes = new Slab<FileNode>(_frames);
        _memoryFiles = new Slab<MemoryFile>(_frames);
        Holds = new FileHolds(processes);
        _buckets = (FileNode**)_frames.AllocateCleared();
        if (_buckets == null || !Holds.IsUsable)
        {
            Panic.Because("FileNodes: no memory");
        }
    }

    /// <summary>What is held at the storage component.</summary>
    public FileHolds Holds { get; }

    /// <summary>What may be believed of them; the file system sets it.</summary>
    internal FileLeases? Leases { get; set; }

    /// <summary>Nodes that are open.</summary>
    public ulong Count => _nodes.InUse - _kept.Count;

    /// <summary>Nodes that are kept.</summary>
    public ulong KeptCount => _kept.Count;

    /// <summary>Memory objects.</summary>
    public ulong ObjectCount => _memoryFiles.InUse;

    /// <summary>True when something is held at the storage component that is not open.</summary>
    public bool KeepsAny => _kept.Count != 0 || Holds.AreWaiting;

    /// <summary>The node of an open file, or null.</summary>
    public FileNode* Find(ushort storage, in FileHandle handle)
    {
        FileNode* node = *Bucket(in handle);
        while (node != null && !(node->Handle.Inode == handle.Inode && node->Handle.Generation == handle.Generation
            && node->Place.Storage == storage))
        {
            node = node->Next;
        }

        return node;
    }

    /// <summary>
    /// The node of a file that was just opened and held, with one more reference; null when memory is exhausted (the hold is then the
    /// caller's to give back).
    /// </summary>
    public FileNode* Acquire(
        ushort vnode, in PlaceReply place, in FileAttributes attributes, ReadOnlySpan<byte> canonicalPath, ulong moment, bool isNew)
    {
        FileNode* node = Find(place.Storage, in attributes.Handle);
        if (node != null)
        {
            Hold(node);
            if (vnode != 0 && node->VNode != vnode && node->SetPath(_frames, canonicalPath) == Errno.None)
            {
                // The rack's own programs know it by another path.
                node->VNode = vnode;
                if (node->Watched != null)
                {
                    FileSystem.Of(_processes).Inotify.OnMoved();
                }
            }
        }
        else
        {
            node = _nodes.Allocate();
            if (node == null)
            {
                return null;
            }

            if (node->SetPath(_frames, canonicalPath) != Errno.None)
            {
                _nodes.Free(node);
                return null;
            }

            node->SetTable(_self);
            node->VNode = vnode;
            node->Handle = attributes.Handle;
            node->Place = place;
            node->IsAtMemory = !isNew;
            node->References = 1;
            FileNode** bucket = Bucket(in attributes.Handle);
            node->Next = *bucket;
            *bucket = node;
        }

        node->Mode = attributes.Mode;
        node->IsUnlinked |= attributes.Links == 0;
        node->Holds++;
        node->HeldSince = moment;
        return node;
    }

    /// <summary>
    /// The node of a file that is still held here and is known to be there, with one more reference; null: the storage component has to be
    /// asked.
    /// </summary>
    public FileNode* AcquireKnown(ushort vnode, ushort storage, in FileHandle handle)
    {
        FileNode* node = Find(storage, in handle);
        if (node == null || (vnode != 0 && node->VNode != vnode) || node->IsUnlinked || !Leases!.Clock.Holds(node->HeldSince, SlotOf(node)))
        {
            return null;
        }

        Hold(node);
        return node;
    }

    /// <summary>One more reference; a kept node is open again.</summary>
    public void Hold(FileNode* node)
    {
        if (node->References++ == 0)
        {
            _kept.Remove(node);
        }
    }

    /// <summary>
    /// Takes a kept node away, because its file is about to lose the name that it was opened by. The result is what the request for that
    /// has to give back; <paramref name="isAtMemory"/>: the memory component may have pages of it.
    /// </summary>
    public ReleaseRecord TakeKept(ushort storage, in FileHandle handle, out bool isAtMemory)
    {
        FileNode* node = Find(storage, in handle);
        isAtMemory = node == null || node->IsAtMemory;
        if (node == null || node->References != 0)
        {
            return default;
        }

        // It may have other names, under which its time of access is told.
        ReleaseRecord record = new() { AccessTimeNs = node->ReadAtNs };
        record.Entry.Handle = handle;
        record.Entry.Holds = node->Holds;
        Free(node);
        return record;
    }

    /// <summary>
    /// Files may have lost their names: what is kept of them is given back, and so is what waits for that.
    /// </summary>
    [Blocks]
    public void GiveBackCalled()
    {
        FileNode* next;
        for (FileNode* node = _kept.Newest; node != null; node = next)
        {
            next = node->NextKept;
            if (!Leases!.Clock.IsUntouched(node->HeldSince, SlotOf(node)))
            {
                GiveBack(node, atOnce: false);
                // It may have let others in.
                next = _kept.Newest;
            }
        }

        Holds.Flush();
    }

    /// <summary>
    /// A new memory object of a process, empty, with one reference; null when memory is exhausted. It lives at the process's home, so that
    /// those who map it find it there. The path is what /proc tells.
    /// </summary>
    public FileNode* CreateObject(Process* owner, scoped ReadOnlySpan<byte> path, uint permissions)
    {
        FileNode* node = _nodes.Allocate();
        MemoryFile* memory = node == null ? null : _memoryFiles.Allocate();
        if (memory == null || node->SetPath(_frames, path) != Errno.None)
        {
            if (memory != null)
            {
                _memoryFiles.Free(memory);
            }

            if (node != null)
            {
                _nodes.Free(node);
            }

            return null;
        }

        memory->Attributes = SyntheticInode.Create(owner->FileSystemUserId, owner->FileSystemGroupId, permissions);
        node->SetTable(_self);
        node->Memory = memory;
        node->Mode = FileMode.Regular | permissions;
        node->IsUnlinked = true;
        node->References = 1;
        node->Place = owner->Place;
        node->Place.Storage = MemoryObjects.Storage;
        node->Place.FileMemory = owner->Space->Home;
        do
        {
            const uint NumberMask = (1u << MemoryObjects.NodeShift) - 1;
            _lastObject = (_lastObject + 1) & NumberMask;
            node->Handle.Inode = ((uint)_processes.Rpc.Node << MemoryObjects.NodeShift) | _lastObject;
        }
        while (_lastObject == 0 || Find(MemoryObjects.Storage, in node->Handle) != null);

        FileNode** bucket = Bucket(in node->Handle);
        node->Next = *bucket;
        *bucket = node;
        return node;
    }

    /// <summary>
    /// Drops a reference; with the last one the file is kept, or given back to the storage component; a memory object ends. May BLOCK.
    /// </summary>
    public void Release(FileNode* node)
    {
        if (--node->References != 0)
        {
            EndIfOnlyWatched(node);
            return;
        }

        if (node->Memory != null)
        {
            EndObject(node);
            return;
        }

        bool hasNames = !node->IsUnlinked && Leases!.Clock.IsUntouched(node->HeldSince, SlotOf(node));
        if (!hasNames || !node->IsSmall)
        {
            _kept.Add(node);
            GiveBack(node, atOnce: !hasNames);
            return;
        }

        FileNode* surplus = _kept.Surplus;
        _kept.Add(node);
        if (surplus != null)
        {
            GiveBack(surplus, atOnce: false);
        }
    }

    /// <summary>Nobody has a memory object open any more: it lives on in what maps it.</summary>
    [Blocks]
    private void EndObject(FileNode* node)
    {
        PlaceReply place = node->Place;
        FileHandle handle = node->Handle;
        _memoryFiles.Free(node->Memory);
        Unlist(node);
        _cache.Invalidate(new ObjectIdentity { Handle = handle, Volume = place.Storage }, 0, ulong.MaxValue);
        FileCaller kernel = FileCaller.Kernel(_processes, in place);
        FileClient.Forget(in kernel, in handle, default);
    }

    /// <summary>A kept node goes, and what it holds with it. May BLOCK.</summary>
    private void GiveBack(FileNode* node, bool atOnce)
    {
        PlaceReply place = node->Place;
        ReleaseRecord record = new() { AccessTimeNs = node->ReadAtNs };
        record.Entry.Handle = node->Handle;
        record.Entry.Holds = node->Holds;
        Free(node);
        Holds.GiveBack(in place, in record, atOnce);
    }

    private void Free(FileNode* node)
    {
        _kept.Remove(node);
        Unlist(node);
    }

    private void Unlist(FileNode* node)
    {
        FileNode** link = Bucket(in node->Handle);
        while (*link != node)
        {
            link = &(*link)->Next;
        }

        *link = node->Next;
        node->FreePath(_frames);
        _nodes.Free(node);
    }

    private static ushort SlotOf(FileNode* node) => LeaseClock.SlotOf(LeaseKey.Access(node->Handle.Inode));

    /// <summary>
    /// A name went, and the storage component told what became of its file: its open files are told, or its cached pages go, unless
    /// there cannot be any.
    /// </summary>
    [Blocks]
    public void OnLostName(in FileCaller caller, in FileHandle handle, uint linksLeft, LostNameFlags flags, bool isAtMemory)
    {
        if (linksLeft != 0 || handle.Inode == 0)
        {
            return;
        }

        if ((flags & LostNameFlags.LivesOn) == 0)
        {
            _cache.Invalidate(new ObjectIdentity { Handle = handle, Volume = caller.Place.Storage }, 0, ulong.MaxValue);
            if (isAtMemory)
            {
                FileClient.Forget(in caller, in handle, default);
            }

            return;
        }

        FileNode* node = Find(caller.Place.Storage, in handle);
        if (node == null)
        {
            Holds.OnStrayOrphan();
        }
        else if (node->References == 0)
        {
            GiveBack(node, atOnce: true);
        }
        else
        {
            node->IsUnlinked = true;
            EndIfOnlyWatched(node);
        }
    }

    /// <summary>A watch does not keep a file that has no name left.</summary>
    [Blocks]
    private void EndIfOnlyWatched(FileNode* node)
    {
        if (node->Watched != null && node->References == 1 && node->IsUnlinked)
        {
            FileSystem.Of(_processes).Inotify.OnGone(node->Watched);
        }
    }

    /// <summary>Gives a node another path. ENOMEM: it keeps the old one.</summary>
    public Errno Rename(FileNode* node, scoped ReadOnlySpan<byte> path) => node->SetPath(_frames, path);

    /// <summary>A name of a vNode was moved: open files at or below it get their new paths. Best effort when memory is exhausted.</summary>
    public void Rebase(ushort vnode, scoped ReadOnlySpan<byte> oldPath, scoped ReadOnlySpan<byte> newPath)
    {
        byte* page = (byte*)_frames.Allocate();
        if (page == null)
        {
            return;
        }

        Span<byte> rebased = new(page, PageOperations.PageSize);
        for (uint bucket = 0; bucket < BucketCount; bucket++)
        {
            for (FileNode* node = _buckets[bucket]; node != null; node = node->Next)
            {
                if (!node->IsUnlinked && node->VNode == vnode && PathText.TryRebase(node->Path, oldPath, newPath, rebased, out int length))
                {
                    node->SetPath(_frames, rebased.Slice(0, length));
                }
            }
        }

        _frames.Free(page);
    }

    private FileNode** Bucket(in FileHandle handle) => &_buckets[(handle.Inode * 2654435761u) % BucketCount];
}
