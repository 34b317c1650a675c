// What each vNode sees of the volume: the tree below its root directory, and nothing else.
//
// Paths. A walk of a vNode begins at its root, and ".." of the root is the root (PathWalker). Handles. A handle is an inode's number and
// generation, which a hostile component could make up; so a vNode may use a handle only if a walk of its own has led to the inode (it is
// revealed): one bit for each inode of the volume. A freed inode is taken back from all. A walk goes up only into what is revealed, because
// a directory may have been moved out of the tree by somebody else. VNode 0, the rack itself, sees the whole volume.
//
// Beside its map stands what the manager has said of a vNode, because a new manager asks (VNodeMessages.cs, NextVNode): of all components
// this is the one without which a rack ends anyway. Callers hold the volume's lock. Never blocks.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Roots and revealed inodes of the vNodes.</summary>
public sealed unsafe class VNodeViews(FrameAllocator frames)
{
    private const int BitsPerByte = 8;

    private readonly ushort[] _vnodes = new ushort[VNodeTable.Most];
    private readonly uint[] _roots = new uint[VNodeTable.Most];
    private readonly ulong[] _maps = new ulong[VNodeTable.Most];
    private ulong _mapPages;
    private int _count;

    /// <summary>The vNode of the request that is being served.</summary>
    public ushort Current { get; private set; }

    /// <summary>Its root.</summary>
    public uint Root { get; private set; } = Geometry.RootInode;

    /// <summary>Handles that were refused because the vNode was never led to them.</summary>
    public ulong Violations { get; private set; }

    /// <summary>A request of a vNode is about to be served. EPERM: it has no tree here.</summary>
    public Errno Begin(ushort vnode)
    {
        Current = vnode;
        Root = vnode == 0 ? Geometry.RootInode : _vnodes[VNodeTable.PlaceOf(vnode)] == vnode ? _roots[VNodeTable.PlaceOf(vnode)] : 0;
        return Root == 0 ? Errno.EPERM : Errno.None;
    }

    /// <summary>What the manager has said of the vNode that has a place. Null: there is none.</summary>
    public VNodeText* TextOf(int place) => _vnodes[place] == 0 ? null : (VNodeText*)(_maps[place] + (_mapPages * PageOperations.PageSize));

    /// <summary>Takes other limits of a vNode that has its tree here already, by this name and root; false: it has none.</summary>
    public bool TryUpdate(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> root)
    {
        int place = VNodeTable.PlaceOf(vnode.VNode);
        VNodeText* text = TextOf(place);
        if (text == null || _vnodes[place] != vnode.VNode || _roots[place] == 0
            || !text->Name.SequenceEqual(name) || !text->Root.SequenceEqual(root))
        {
            return false;
        }

        text->Said = vnode;
        return true;
    }

    /// <summary>
    /// Gives a vNode the tree below an inode. EEXIST: another one has its place, or it has another tree; ENOENT: its root has been removed;
    /// ENOMEM.
    /// </summary>
    public Errno Add(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> rootPath, uint root, uint inodeCount)
    {
        int place = VNodeTable.PlaceOf(vnode.VNode);
        if (_vnodes[place] != 0)
        {
            return _vnodes[place] == vnode.VNode && _roots[place] == 0 ? Errno.ENOENT : Errno.EEXIST;
        }

        _mapPages = (inodeCount / (BitsPerByte * PageOperations.PageSize)) + 1;
        byte* map = (byte*)frames.AllocateContiguous(_mapPages + 1);
        if (map == null)
        {
            return Errno.ENOMEM;
        }

        new Span<byte>(map, (int)((_mapPages + 1) * PageOperations.PageSize)).Clear();
        _vnodes[place] = vnode.VNode;
        _roots[place] = root;
        _maps[place] = (ulong)map;
        _count++;
        TextOf(place)->Set(in vnode, name, rootPath);
        Reveal(map, root);
        return Errno.None;
    }

    /// <summary>A vNode sees nothing any more.</summary>
    public void Forget(ushort vnode)
    {
        int place = VNodeTable.PlaceOf(vnode);
        if (vnode != 0 && _vnodes[place] == vnode)
        {
            frames.FreeContiguous((void*)_maps[place], _mapPages + 1);
            _vnodes[place] = 0;
            _maps[place] = 0;
            _count--;
        }
    }

    /// <summary>The current vNode has been led to an inode.</summary>
    public void Reveal(uint inode)
    {
        if (Current != 0)
        {
            Reveal((byte*)_maps[VNodeTable.PlaceOf(Current)], inode);
        }
    }

    /// <summary>Whether the current vNode has been led to an inode.</summary>
    public bool IsRevealed(uint inode)
    {
        byte* map = (byte*)_maps[VNodeTable.PlaceOf(Current)];
        return Current == 0
            || (inode / BitsPerByte < _mapPages * PageOperations.PageSize && (map[inode / BitsPerByte] & BitOf(inode)) != 0);
    }

    /// <summary>EPERM, and counted, for a handle that the current vNode cannot have.</summary>
    public Errno CheckHandle(uint inode)
    {
        bool isRevealed = IsRevealed(inode);
        Violations += isRevealed ? 0UL : 1;
        return isRevealed ? Errno.None : Errno.EPERM;
    }

    /// <summary>An inode is free: whoever gets it next, these have not been led to that file.</summary>
    public void TakeBack(uint inode)
    {
        for (int place = 0; place < VNodeTable.Most && _count != 0; place++)
        {
            if (_vnodes[place] != 0)
            {
                ((byte*)_maps[place])[inode / BitsPerByte] &= (byte)~BitOf(inode);
                _roots[place] = _roots[place] == inode ? 0 : _roots[place];
            }
        }
    }

    private static void Reveal(byte* map, uint inode) => map[inode / BitsPerByte] |= BitOf(inode);

    private static byte BitOf(uint inode) => (byte)(1 << (int)(inode % BitsPerByte));
}
