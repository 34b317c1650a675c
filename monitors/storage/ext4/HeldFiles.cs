// Who holds which file. A holder (a component of the rack) that opened a file with PathFlags.Hold has it until it gives as many holds back;
// until then the inode is not freed when it loses its last name (OrphanList). Counted, not flagged, as FUSE counts lookups and forgets: an
// Open that races the last Release has a hold of its own that the Release does not give back. Soft state: lost with this component, whose
// next mount frees every orphan. Works on memory only.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage.Ext4;

/// <summary>One file that somebody holds; chained into the list of orphans while it has no name.</summary>
public unsafe struct HeldFile
{
    internal HeldFile* NextInBucket;
    internal Holder* Holders;
    internal FileHandle Handle;
    internal bool IsOrphan;
    /// <summary>It was made without a name and may be given one (Names.CreateNameless).</summary>
    internal bool IsLinkable;
    /// <summary>Neighbours on the orphan list; the same order as on the device.</summary>
    internal HeldFile* NextOrphan;
    internal HeldFile* PreviousOrphan;
}

/// <summary>One component's holds of one file.</summary>
public unsafe struct Holder
{
    internal Holder* Next;
    internal uint Holds;
    internal ushort Node;
}

/// <summary>The held files of one volume, by inode.</summary>
public sealed unsafe class HeldFiles
{
    private const uint BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly Slab<HeldFile> _files;
    private readonly Slab<Holder> _holders;
    private readonly HeldFile** _buckets;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public HeldFiles(FrameAllocator frames)
    {
        _files = new Slab<HeldFile>(frames);
        _holders = new Slab<Holder>(frames);
        _buckets = (HeldFile**)frames.AllocateCleared();
    }

    /// <summary>False when there was no memory for the table.</summary>
    public bool IsUsable => _buckets != null;

    /// <summary>Files that somebody holds.</summary>
    public ulong Count => _files.InUse;

    /// <summary>The record of a file that somebody holds, or null.</summary>
    public HeldFile* Find(FileHandle handle)
    {
        HeldFile* file = *Bucket(handle.Inode);
        while (file != null && (file->Handle.Inode != handle.Inode || file->Handle.Generation != handle.Generation))
        {
            file = file->NextInBucket;
        }

        return file;
    }

    /// <summary>Whether the inode has no name and lives only because somebody holds it.</summary>
    public bool IsOrphan(FileHandle handle)
    {
        HeldFile* file = Find(handle);
        return file != null && file->IsOrphan;
    }

    /// <summary>One hold more for a component. ENOMEM.</summary>
    public Errno Hold(FileHandle handle, ushort node)
    {
        HeldFile* file = Find(handle);
        if (file == null)
        {
            file = _files.Allocate();
            if (file == null)
            {
                return Errno.ENOMEM;
            }

            file->Handle = handle;
            HeldFile** bucket = Bucket(handle.Inode);
            file->NextInBucket = *bucket;
            *bucket = file;
        }

        Holder* holder = HolderOf(file, node);
        if (holder == null)
        {
            holder = _holders.Allocate();
            if (holder == null)
            {
                if (file->Holders == null && !file->IsOrphan)
                {
                    Free(file);
                }

                return Errno.ENOMEM;
            }

            holder->Node = node;
            holder->Next = file->Holders;
            file->Holders = holder;
        }

        holder->Holds++;
        return Errno.None;
    }

    /// <summary>Takes holds back from a component, at most those that it has. True: somebody still holds the file. Afterwards the caller
    /// looks after the orphan, if it is one, and frees the record.</summary>
    public bool Release(HeldFile* file, ushort node, uint holds)
    {
        for (Holder** link = &file->Holders; *link != null; link = &(*link)->Next)
        {
            Holder* holder = *link;
            if (holder->Node != node)
            {
                continue;
            }

            holder->Holds -= Math.Min(holder->Holds, holds);
            if (holder->Holds == 0)
            {
                *link = holder->Next;
                _holders.Free(holder);
            }

            break;
        }

        return file->Holders != null;
    }

    /// <summary>Frees the record of a file that nobody holds any more; it is not on the orphan list.</summary>
    public void Free(HeldFile* file)
    {
        if (file->Holders != null || file->IsOrphan)
        {
            Panic.Because("HeldFiles.Free: the file is held or an orphan");
        }

        HeldFile** link = Bucket(file->Handle.Inode);
        while (*link != file)
        {
            link = &(*link)->NextInBucket;
        }

        *link = file->NextInBucket;
        _files.Free(file);
    }

    /// <summary>The records one after the other, from <paramref name="bucket"/> = 0 and null on; null after the last. The one returned
    /// last may have been freed only after the next was asked for.</summary>
    internal HeldFile* Next(ref uint bucket, HeldFile* file)
    {
        file = file != null ? file->NextInBucket : _buckets[bucket];
        while (file == null && ++bucket < BucketCount)
        {
            file = _buckets[bucket];
        }

        return file;
    }

    private static Holder* HolderOf(HeldFile* file, ushort node)
    {
        Holder* holder = file->Holders;
        while (holder != null && holder->Node != node)
        {
            holder = holder->Next;
        }

        return holder;
    }

    private HeldFile** Bucket(uint inode) => &_buckets[inode * 2654435761u % BucketCount];
}
