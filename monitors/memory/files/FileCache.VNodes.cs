// Whose files are in the cache. A file is asked for by its handle, which a hostile component could make up; so a vNode may use a cached
// file only if the storage component has confirmed it on its behalf, by a status of the file (monitors/storage/VNodeViews.cs), when the
// file was loaded or here. One vNode is noted: files that several use in turn are confirmed at each turn. The rack itself, 0, may use all.

using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FileCache
{
    /// <summary>Requests for files that the storage component has refused, or memory objects of another vNode.</summary>
    private ulong _vnodeViolations;

    /// <summary>True when a vNode may use a file without a question.</summary>
    internal static bool IsOf(CachedFile* file, ushort vnode) => vnode == 0 || file->VNode == vnode;

    /// <summary>Has the storage component confirm that a vNode may use a file; the caller holds it. EPERM, ESTALE, EIO.</summary>
    [Blocks]
    internal Errno Admit(CachedFile* file, ushort vnode)
    {
        if (IsOf(file, vnode))
        {
            return Errno.None;
        }

        Errno error = Errno.EPERM;
        if (!file->IsObject)
        {
            TransferBuffer* buffer = _buffers.Take();
            error = _store.Confirm(file, vnode, buffer);
            _buffers.Return(buffer);
        }

        if (error == Errno.None)
        {
            file->VNode = vnode;
        }

        _vnodeViolations += error == Errno.EPERM ? 1UL : 0;
        return error;
    }

    /// <summary>A vNode is known no more: what it used is the rack's.</summary>
    internal void ForgetVNode(ushort vnode)
    {
        for (ulong bucket = 0; bucket < FileBuckets; bucket++)
        {
            for (CachedFile* file = _fileBuckets[bucket]; file != null; file = file->NextInBucket)
            {
                file->VNode = file->VNode == vnode ? (ushort)0 : file->VNode;
            }
        }
    }
}
