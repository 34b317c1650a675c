// /dev/shm: the one directory of files in memory (shm_overview(7), tmpfs(5)), which shm_open(3) and sem_open(3) use. It is flat: it has
// regular files and hard links to them, and no directories, symbolic links or special files. Everybody may make names; because of the
// sticky bit only the file's owner and root take them away (inode(7)).
//
// What holds: a name refers to a node and has a reference to it; MemoryFile.Links is the number of names. A node without names lives on
// while somebody has it open or mapped. Names are found by text, and go on in a listing by their numbers, which only grow: the list is in
// their order. What BLOCKS says so; between a look-up and a change of names nothing does, so whoever has waited looks up again.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A name in /dev/shm.</summary>
public unsafe struct SharedMemoryName
{
    private const int MaxBytes = 255;

    public SharedMemoryName* Next;
    public FileNode* Node;
    /// <summary>Order in listings; also PseudoNode.Descriptor of the entry.</summary>
    public uint Number;
    /// <summary>Whose directory it stands in: each vNode has one, and the rack itself.</summary>
    public ushort VNode;
    private byte _length;
    private NameBytes _bytes;

    [InlineArray(MaxBytes)]
    private struct NameBytes
    {
        private byte _first;
    }

    /// <summary>Without terminator; valid until the name goes.</summary>
    public ReadOnlySpan<byte> Text => new(Unsafe.AsPointer(ref _bytes), _length);

    /// <summary>ENAMETOOLONG.</summary>
    internal static Errno Check(ReadOnlySpan<byte> text) => text.Length > MaxBytes ? Errno.ENAMETOOLONG : Errno.None;

    internal void Set(ReadOnlySpan<byte> text)
    {
        _length = (byte)text.Length;
        text.CopyTo(new Span<byte>(Unsafe.AsPointer(ref _bytes), MaxBytes));
    }
}

/// <summary>The names of /dev/shm.</summary>
public sealed unsafe class SharedMemoryDirectory(FileSystem files)
{
    /// <summary>
    /// One name for so many free frames at boot: with a long path it takes more than a frame, and its file's node as well.
    /// </summary>
    private const ulong FramesOfName = 16;

    private readonly Slab<SharedMemoryName> _names = new(files.Frames);
    private readonly ulong _mostNames = files.Frames.FreePages / FramesOfName;
    private SharedMemoryName* _first;
    private SharedMemoryName* _last;
    private uint _lastNumber;

    /// <summary>Names that there are.</summary>
    public ulong Count => _names.InUse;

    /// <summary>The name with some text in a vNode's directory, or null.</summary>
    public SharedMemoryName* Find(ushort vnode, ReadOnlySpan<byte> text)
    {
        SharedMemoryName* name = _first;
        while (name != null && (name->VNode != vnode || !name->Text.SequenceEqual(text)))
        {
            name = name->Next;
        }

        return name;
    }

    /// <summary>The first name of a vNode's directory with a number at or above one, or null.</summary>
    public SharedMemoryName* FindFrom(ushort vnode, uint number)
    {
        SharedMemoryName* name = FindFrom(number);
        while (name != null && name->VNode != vnode)
        {
            name = name->Next;
        }

        return name;
    }

    /// <summary>The first name with a number at or above one, or null.</summary>
    private SharedMemoryName* FindFrom(uint number)
    {
        SharedMemoryName* name = _first;
        while (name != null && name->Number < number)
        {
            name = name->Next;
        }

        return name;
    }

    /// <summary>The file of an entry that was resolved earlier; null when its name has gone.</summary>
    public FileNode* NodeOf(PseudoNode entry)
    {
        SharedMemoryName* name = FindFrom((uint)entry.Descriptor);
        return name == null || name->Number != (uint)entry.Descriptor ? null : name->Node;
    }

    /// <summary>Opens an existing file. ENOENT: the name has gone; errors of open(2). BLOCKS.</summary>
    public Errno Open(Process* process, PseudoNode entry, OpenFlags flags, out OpenFile* file)
    {
        file = null;
        FileNode* found = NodeOf(entry);
        if (found == null)
        {
            return Errno.ENOENT;
        }

        using NodeRef node = NodeRef.To(found);
        Errno error = MemoryObject.Status(process, node.Node, out FileStatus status);
        if (error == Errno.None && (flags & OpenFlags.Path) == 0)
        {
            error = FileOpening.CheckOpen(process, in status.Attributes, flags);
        }

        return error != Errno.None ? error : FileOpening.OpenNode(process, in node, in status.Attributes, flags, created: false, out file);
    }

    /// <summary>
    /// Makes a file with a name that was not there, and opens it. EEXIST: it is there meanwhile; ENOMEM, ENOSPC, ENFILE. BLOCKS on errors.
    /// </summary>
    public Errno Create(Process* process, ReadOnlySpan<byte> text, OpenFlags flags, uint mode, out OpenFile* file)
    {
        file = null;
        Errno error = SharedMemoryName.Check(text);
        if (error != Errno.None || Find(process->VNode, text) != null)
        {
            return error != Errno.None ? error : Errno.EEXIST;
        }

        uint permissions = mode & ~PathContext.Of(process)->Umask & FileMode.PermissionMask;
        FileNode* made = files.Nodes.CreateObject(process, default, permissions);
        if (made == null)
        {
            return Errno.ENOMEM;
        }

        made->Memory->Seals = FileSeals.Seal;
        using NodeRef node = NodeRef.Adopt(made);
        error = Add(process, text, made);
        if (error != Errno.None)
        {
            return error;
        }

        FileAttributes attributes = new() { Handle = made->Handle, Mode = made->Mode };
        error = FileOpening.OpenNode(process, in node, in attributes, flags, created: true, out file);
        if (error != Errno.None)
        {
            Drop(Find(process->VNode, text));
        }

        return error;
    }

    /// <summary>
    /// Makes a file without a name and opens it (O_TMPFILE); without O_EXCL link(2) may give it one. ENOMEM, ENFILE. BLOCKS on errors.
    /// </summary>
    public Errno CreateNameless(Process* process, OpenFlags flags, uint mode, out OpenFile* file)
    {
        file = null;
        uint permissions = mode & ~PathContext.Of(process)->Umask & FileMode.PermissionMask;
        FileNode* made = files.Nodes.CreateObject(process, "/dev/shm/#"u8, permissions);
        if (made == null)
        {
            return Errno.ENOMEM;
        }

        made->Memory->Seals = FileSeals.Seal;
        made->Memory->IsLinkable = (flags & OpenFlags.Exclusive) == 0;
        using NodeRef node = NodeRef.Adopt(made);
        FileAttributes attributes = new() { Handle = made->Handle, Mode = made->Mode };
        return FileOpening.OpenNode(process, in node, in attributes, flags, created: true, out file);
    }

    /// <summary>Another name for a file (link(2)). EEXIST, ENAMETOOLONG, ENOMEM, ENOSPC.</summary>
    public Errno Add(Process* process, ReadOnlySpan<byte> text, FileNode* node)
    {
        Errno error = SharedMemoryName.Check(text);
        if (error != Errno.None || Find(process->VNode, text) != null)
        {
            return error != Errno.None ? error : Errno.EEXIST;
        }

        SharedMemoryName* name = Count >= _mostNames ? null : _names.Allocate();
        if (name == null)
        {
            return Count >= _mostNames ? Errno.ENOSPC : Errno.ENOMEM;
        }

        name->Set(text);
        name->Node = node;
        name->VNode = process->VNode;
        name->Number = ++_lastNumber;
        if (_last == null)
        {
            _first = name;
        }
        else
        {
            _last->Next = name;
        }

        _last = name;
        node->References++;
        node->Memory->Links++;
        node->Memory->Attributes.Touch();
        Describe(name);
        return Errno.None;
    }

    /// <summary>unlink(2). ENOENT: it has gone meanwhile; EPERM. BLOCKS when it was the last use of the file.</summary>
    public Errno Remove(Process* process, PseudoNode entry)
    {
        SharedMemoryName* name = FindFrom((uint)entry.Descriptor);
        if (name == null || name->Number != (uint)entry.Descriptor)
        {
            return Errno.ENOENT;
        }

        if (!MayTake(process, name->Node))
        {
            return Errno.EPERM;
        }

        name->Node->Memory->Attributes.Touch();
        Drop(name);
        return Errno.None;
    }

    /// <summary>rename(2) in the directory, over what has the new name, if anything may. EEXIST, EPERM, ENOENT. BLOCKS.</summary>
    public Errno Rename(Process* process, PseudoNode entry, ReadOnlySpan<byte> text, bool replaces)
    {
        SharedMemoryName* name = FindFrom((uint)entry.Descriptor);
        Errno error = name == null || name->Number != (uint)entry.Descriptor ? Errno.ENOENT : SharedMemoryName.Check(text);
        if (error != Errno.None)
        {
            return error;
        }

        SharedMemoryName* other = Find(name->VNode, text);
        if (other != null && (!replaces || other->Node == name->Node))
        {
            return replaces ? Errno.None : Errno.EEXIST;
        }

        if (!MayTake(process, name->Node) || (other != null && !MayTake(process, other->Node)))
        {
            return Errno.EPERM;
        }

        name->Set(text);
        Describe(name);
        if (other != null)
        {
            Drop(other);
        }

        return Errno.None;
    }

    /// <summary>
    /// The component begins a new life, and what there was is gone at the memory component; or (not 0) a vNode is known no more. BLOCKS.
    /// </summary>
    public void Clear(ushort vnode = 0)
    {
        for (SharedMemoryName* name = FindOf(vnode); name != null; name = FindOf(vnode))
        {
            Drop(name);
        }
    }

    private SharedMemoryName* FindOf(ushort vnode) => vnode == 0 ? _first : FindFrom(vnode, 0);

    private static bool MayTake(Process* process, FileNode* node)
    {
        FileStatus status = default;
        node->Memory->Attributes.Describe(ref status);
        return process->FileSystemUserId == 0 || process->FileSystemUserId == status.Attributes.UserId;
    }

    /// <summary>BLOCKS when it was the last use of the file.</summary>
    private void Drop(SharedMemoryName* name)
    {
        SharedMemoryName* before = null;
        for (SharedMemoryName* other = _first; other != name; other = other->Next)
        {
            before = other;
        }

        if (before == null)
        {
            _first = name->Next;
        }
        else
        {
            before->Next = name->Next;
        }

        _last = _last == name ? before : _last;
        FileNode* node = name->Node;
        _names.Free(name);
        node->Memory->Links--;
        node->IsUnlinked = node->Memory->Links == 0;
        files.Nodes.Release(node);
    }

    /// <summary>What /proc tells of the file; the newest name. Without memory it stays as it was.</summary>
    private void Describe(SharedMemoryName* name)
    {
        Span<byte> path = stackalloc byte["/dev/shm/"u8.Length + byte.MaxValue];
        "/dev/shm/"u8.CopyTo(path);
        name->Text.CopyTo(path.Slice("/dev/shm/"u8.Length));
        name->Node->IsUnlinked = false;
        name->Node->SetPath(files.Frames, path.Slice(0, "/dev/shm/"u8.Length + name->Text.Length));
    }
}
