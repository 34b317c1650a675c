// Shared memory of System V (shmget(2), shmop(2), shmctl(2)): memory objects with an id and rights instead of a name.
//
// What holds, whenever the kernel lock is let go: a segment has a reference to its node, which knows its segment (MemoryFile.Segment). A
// segment that was removed (Removed in its mode) has no key any more, but its id works until nobody maps the node and nobody is about to
// (Attaching); then it ends. How often it is attached is not counted but seen: the ranges of all spaces in use that show it. What BLOCKS
// says so; whoever has waited looks the segment up again.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A segment; its IpcObject comes first.</summary>
public unsafe struct SharedSegment
{
    /// <summary>SHM_DEST and SHM_LOCKED in the mode.</summary>
    public const uint Removed = 0x200;
    public const uint Locked = 0x400;

    public IpcObject Head;
    public FileNode* Node;
    public ulong SizeBytes;
    public uint Creator;
    public uint LastProcess;
    public ulong AttachTimeNs;
    public ulong DetachTimeNs;
    /// <summary>Calls that are about to map it.</summary>
    public uint Attaching;
}

/// <summary>All segments of the component.</summary>
public sealed unsafe class SharedSegments(FileSystem files)
{
    /// <summary>SHMMAX.</summary>
    public const ulong MaxBytes = ulong.MaxValue - (1UL << 24);

    private readonly Slab<SharedSegment> _segments = new(files.Frames);

    public IpcTable Table { get; } = new(files.Frames);

    /// <summary>The segment with an id. Null: EINVAL.</summary>
    public SharedSegment* Find(Process* viewer, int id) => (SharedSegment*)Table.Find(viewer, id);

    /// <summary>The segment of a key, or a new one. ENOENT, EEXIST, EACCES, EINVAL, ENOSPC, ENOMEM. BLOCKS.</summary>
    public Errno Get(Process* process, int key, ulong sizeBytes, uint flags, out int id)
    {
        id = 0;
        Errno error = Table.Look(process->VNode, key, flags, out IpcObject* found);
        if (error == Errno.None && found != null)
        {
            id = found->Id;
            return sizeBytes > ((SharedSegment*)found)->SizeBytes ? Errno.EINVAL : found->Check(process, flags & IpcObject.Rights);
        }

        if (error != Errno.None || sizeBytes is 0 or > MaxBytes)
        {
            return error != Errno.None ? error : Errno.EINVAL;
        }

        if (sizeBytes > AddressSpace.Limit)
        {
            return Errno.ENOMEM;
        }

        Span<byte> path = stackalloc byte[16];
        TextBuffer name = new(path);
        name.Append("/SYSV"u8);
        name.AppendHex((uint)key, 8);
        FileNode* node = files.Nodes.CreateObject(process, name.Text, flags & IpcObject.Rights);
        SharedSegment* segment = node == null ? null : _segments.Allocate();
        if (segment == null)
        {
            if (node != null)
            {
                files.Nodes.Release(node);
            }

            return Errno.ENOMEM;
        }

        node->Memory->Seals = FileSeals.Seal;
        segment->Node = node;
        segment->SizeBytes = sizeBytes;
        segment->Creator = process->Id;
        error = Table.Add(process, &segment->Head, key, flags);
        if (error != Errno.None)
        {
            _segments.Free(segment);
            files.Nodes.Release(node);
            return error;
        }

        // Known by its id already, but nobody else has heard of that; whoever finds it by the key and attaches it waits for its size, as
        // for any change.
        node->Memory->Segment = segment;
        id = segment->Head.Id;
        segment->Attaching++;
        error = RegularFile.Resize(process, node, AddressOfPageAfter(sizeBytes), FileWriteFlags.None);
        EndAttaching(segment);
        if (error != Errno.None && Find(process, id) == segment)
        {
            Remove(segment);
        }

        return error;
    }

    /// <summary>Ranges of spaces in use that show a segment.</summary>
    public ulong Attaches(SharedSegment* segment)
    {
        ulong count = 0;
        uint backing = segment->Node->Backing;
        for (AddressSpace* space = backing == 0 ? null : files.Processes.Spaces.First; space != null; space = space->Next)
        {
            for (int index = 0; space->Users != 0 && index < space->Ranges.Count; index++)
            {
                count += space->Ranges[index].Backing == backing ? 1u : 0;
            }
        }

        return count;
    }

    /// <summary>A call is about to map a segment: it stays until <see cref="EndAttaching"/>.</summary>
    public static void BeginAttaching(SharedSegment* segment) => segment->Attaching++;

    /// <summary>The call has mapped it, or has failed. BLOCKS when a removed segment ends.</summary>
    public void EndAttaching(SharedSegment* segment)
    {
        segment->Attaching--;
        EndIfUnused(segment);
    }

    /// <summary>A process has attached or detached a segment (shm_lpid and the times).</summary>
    public static void Used(SharedSegment* segment, uint processId, bool begins)
    {
        ulong now = Clock.UnixTimeNs();
        segment->LastProcess = processId;
        segment->AttachTimeNs = begins ? now : segment->AttachTimeNs;
        segment->DetachTimeNs = begins ? segment->DetachTimeNs : now;
    }

    /// <summary>IPC_RMID. BLOCKS when nobody has it attached.</summary>
    public void Remove(SharedSegment* segment)
    {
        segment->Head.Key = IpcFlags.PrivateKey;
        segment->Head.Mode |= SharedSegment.Removed;
        EndIfUnused(segment);
    }

    /// <summary>
    /// The component begins a new life, and what there was is gone at the memory component; or (not 0) a vNode is known no more. BLOCKS.
    /// </summary>
    public void Clear(ushort vnode = 0)
    {
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            SharedSegment* segment = (SharedSegment*)Table.At(index);
            if (segment != null && (vnode == 0 || segment->Head.VNode == vnode))
            {
                Remove(segment);
            }
        }
    }

    /// <summary>Somebody is done with a segment: it ends if it was removed and nobody has it attached. BLOCKS then.</summary>
    internal void EndIfUnused(SharedSegment* segment)
    {
        FileNode* node = segment->Node;
        if ((segment->Head.Mode & SharedSegment.Removed) == 0 || segment->Attaching != 0 || node->Backing != 0)
        {
            return;
        }

        Table.Remove(&segment->Head);
        node->Memory->Segment = null;
        _segments.Free(segment);
        files.Nodes.Release(node);
    }

    private static ulong AddressOfPageAfter(ulong bytes) => (bytes + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1UL);
}
