// All objects of one kind: found by id, or by key when they are to be shared. Objects are the kind's own; the table has pointers to their
// heads. An id whose object has gone is EINVAL, and EIDRM for who held it across a wait. Made at boot. Nothing here blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Segments, sets, or queues.</summary>
public sealed unsafe class IpcTable
{
    /// <summary>Most objects at a time (SHMMNI, SEMMNI, MSGMNI).</summary>
    public const int MaxObjects = PageOperations.PageSize / sizeof(ulong);

    /// <summary>A kind of structure that programs make at will takes at most one part of so many of the component's memory.</summary>
    private const ulong Share = 16;
    private const int IndexMask = (1 << IpcObject.IndexBits) - 1;

    private readonly IpcObject** _objects;
    private int _sequence;

    /// <summary>Takes the memory; boot time.</summary>
    public IpcTable(FrameAllocator frames)
    {
        _objects = (IpcObject**)frames.AllocateCleared();
        if (_objects == null)
        {
            Panic.Because("IpcTable: no memory");
        }
    }

    /// <summary>Objects that there are.</summary>
    public int Count { get; private set; }

    /// <summary>Highest place in use, -1 when there is none.</summary>
    public int Last
    {
        get
        {
            int index = MaxObjects - 1;
            while (index >= 0 && _objects[index] == null)
            {
                index--;
            }

            return index;
        }
    }

    /// <summary>
    /// How many structures of some size may be there at a time, so that no user takes the frames that others need; boot time.
    /// </summary>
    public static ulong MostOf(FrameAllocator frames, int itemBytes) =>
        frames.FreePages / Share * (PageOperations.PageSize / (ulong)itemBytes);

    /// <summary>The object with an id, as a process knows it. Null: EINVAL.</summary>
    public IpcObject* Find(Process* viewer, int id)
    {
        IpcObject* found = id < 0 ? null : At(viewer, id & IndexMask);
        return found != null && found->Id == id ? found : null;
    }

    /// <summary>The object in a place, as a process knows it: programs of the rack itself see those of all vNodes.</summary>
    public IpcObject* At(Process* viewer, int index)
    {
        IpcObject* found = At(index);
        return found == null || viewer->VNode == 0 || found->VNode == viewer->VNode ? found : null;
    }

    /// <summary>The object in a place, or null.</summary>
    public IpcObject* At(int index) => (uint)index < MaxObjects ? _objects[index] : null;

    /// <summary>The object with a key of a vNode; null when there is none, and for IPC_PRIVATE, which none is shared by.</summary>
    public IpcObject* FindKey(ushort vnode, int key)
    {
        for (int index = 0; index < MaxObjects && key != IpcFlags.PrivateKey; index++)
        {
            if (_objects[index] != null && _objects[index]->Key == key && _objects[index]->VNode == vnode)
            {
                return _objects[index];
            }
        }

        return null;
    }

    /// <summary>What shmget, semget and msgget ask first: the object with a key, none when a new one is wanted. ENOENT, EEXIST.</summary>
    public Errno Look(ushort vnode, int key, uint flags, out IpcObject* found)
    {
        found = FindKey(vnode, key);
        if (found == null)
        {
            return key == IpcFlags.PrivateKey || (flags & IpcFlags.Create) != 0 ? Errno.None : Errno.ENOENT;
        }

        const uint New = IpcFlags.Create | IpcFlags.Exclusive;
        return (flags & New) == New ? Errno.EEXIST : Errno.None;
    }

    /// <summary>Gives a new object a place, an id, an owner and rights. ENOSPC.</summary>
    public Errno Add(Process* process, IpcObject* added, int key, uint flags)
    {
        int index = 0;
        while (index < MaxObjects && _objects[index] != null)
        {
            index++;
        }

        if (index == MaxObjects)
        {
            return Errno.ENOSPC;
        }

        added->Id = (_sequence << IpcObject.IndexBits) | index;
        _sequence = (_sequence + 1) & (int.MaxValue >> IpcObject.IndexBits);
        added->VNode = process->VNode;
        added->Key = key;
        added->Mode = flags & IpcObject.Rights;
        added->UserId = process->EffectiveUserId;
        added->CreatorUserId = process->EffectiveUserId;
        added->GroupId = process->EffectiveGroupId;
        added->CreatorGroupId = process->EffectiveGroupId;
        added->ChangeTimeNs = Clock.UnixTimeNs();
        _objects[index] = added;
        Count++;
        return Errno.None;
    }

    /// <summary>The object is known no more.</summary>
    public void Remove(IpcObject* removed)
    {
        _objects[removed->Id & IndexMask] = null;
        Count--;
    }
}
