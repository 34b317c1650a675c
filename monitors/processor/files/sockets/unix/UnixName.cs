// Names of AF_UNIX sockets (unix(7), "Address format") and who has them: path names, each with the socket's inode on the volume; abstract
// ones, bytes after a NUL. A name is in a slab and shared by a listening socket and those that it has accepted; the table knows the socket
// that was bound. Never blocks but where it says so.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One name.</summary>
public unsafe struct UnixName
{
    /// <summary>Room of sun_path.</summary>
    public const int MaxPath = 108;

    public uint References;
    /// <summary>The inode of a path name, with a reference to its node; null: an abstract name.</summary>
    public FileNode* Node;
    /// <summary>Whose name it is: each vNode has abstract names of its own.</summary>
    public ushort VNode;
    /// <summary>Bytes of sun_path: of a path with its terminator.</summary>
    public int Length;
    private Storage _bytes;

    [InlineArray(MaxPath + 1)]
    private struct Storage
    {
        private byte _first;
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes => ((ReadOnlySpan<byte>)_bytes).Slice(0, Length);

    /// <summary>A name of these bytes; null without memory.</summary>
    public static UnixName* Create(FileSystem files, ushort vnode, scoped ReadOnlySpan<byte> bytes)
    {
        UnixName* name = files.UnixNames.Allocate();
        if (name != null)
        {
            name->References = 1;
            name->VNode = vnode;
            name->Length = bytes.Length;
            bytes.CopyTo(name->_bytes);
        }

        return name;
    }

    /// <summary>Drops a reference. May BLOCK: the last one lets the inode go.</summary>
    public static void Release(FileSystem files, UnixName* name)
    {
        if (name != null && --name->References == 0)
        {
            FileNode* node = name->Node;
            files.UnixNames.Free(name);
            if (node != null)
            {
                files.Nodes.Release(node);
            }
        }
    }

    /// <summary>As struct sockaddr_un; the family alone for no name.</summary>
    public static SocketName ToAddress(UnixName* name)
    {
        SocketName address = default;
        address.Family = AddressFamily.Unix;
        address.Length = SocketName.FamilyBytes;
        if (name != null)
        {
            name->Bytes.CopyTo(address.Room.Slice(SocketName.FamilyBytes));
            address.Length += name->Length;
        }

        return address;
    }
}

/// <summary>Which socket is bound to a name.</summary>
public sealed unsafe class UnixNameTable
{
    private const uint BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly Socket** _buckets;

    /// <summary>Takes the memory of the table; boot time.</summary>
    public UnixNameTable(FrameAllocator frames)
    {
        _buckets = (Socket**)frames.AllocateCleared();
        if (_buckets == null)
        {
            Panic.Because("UnixNameTable: no memory");
        }
    }

    /// <summary>The socket that is bound to an inode, or null.</summary>
    public Socket* Find(FileNode* node)
    {
        Socket* socket = *Bucket(node, default);
        while (socket != null && socket->Unix.Name->Node != node)
        {
            socket = socket->Unix.NextBound;
        }

        return socket;
    }

    /// <summary>The socket that is bound to an abstract name of a vNode, or null. Each type has names of its own.</summary>
    public Socket* Find(ushort vnode, SocketType type, ReadOnlySpan<byte> name)
    {
        Socket* socket = *Bucket(null, name);
        while (socket != null && (socket->Type != type || socket->Unix.Name->VNode != vnode || socket->Unix.Name->Node != null
            || !socket->Unix.Name->Bytes.SequenceEqual(name)))
        {
            socket = socket->Unix.NextBound;
        }

        return socket;
    }

    /// <summary>A socket has got its name.</summary>
    public void Add(Socket* socket)
    {
        Socket** bucket = Bucket(socket->Unix.Name->Node, socket->Unix.Name->Bytes);
        socket->Unix.NextBound = *bucket;
        *bucket = socket;
    }

    /// <summary>A socket ends; it may be one that was accepted and stands nowhere.</summary>
    public void Remove(Socket* socket)
    {
        Socket** link = Bucket(socket->Unix.Name->Node, socket->Unix.Name->Bytes);
        while (*link != null && *link != socket)
        {
            link = &(*link)->Unix.NextBound;
        }

        if (*link != null)
        {
            *link = socket->Unix.NextBound;
        }
    }

    private Socket** Bucket(FileNode* node, ReadOnlySpan<byte> name)
    {
        const uint Prime = 16777619;
        uint hash = node == null ? 2166136261 : (uint)((ulong)node >> 4);
        for (int index = 0; node == null && index < name.Length; index++)
        {
            hash = (hash ^ name[index]) * Prime;
        }

        return _buckets + (hash % BucketCount);
    }
}
