// A file or directory of the volume that this component has open, or had open until lately (KeptNodes): its handle and current path, shared
// by all open files on it and working directories in it. The storage component knows that the file is held here (FileHolds), so it lives on
// when its last name goes; the path is only what programs are told. Nodes are found by handle (FileNodes.cs).
//
// States of a node, by its references:
//   open    somebody refers to it; the file is held
//   kept    nobody does; the file is held, and has not lost a name since (the lease of FileNode.HeldSince)
//   gone    the node is freed, and its holds are given back: at once if the file may have no name, else with those of others
// Never blocks.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One file of the volume that is open at least once.</summary>
public unsafe struct FileNode
{
    private const int InlinePathBytes = 120;

    public FileNode* Next;
    public FileHandle Handle;
    public PlaceReply Place;
    /// <summary>In whose tree Path is; of several vNodes the last that opened it, 0 only if no other has.</summary>
    public ushort VNode;
    public uint References;
    /// <summary>Opens that the storage component has counted; the last close gives so many back.</summary>
    public uint Holds;
    /// <summary>Type and permissions when it was last opened.</summary>
    public uint Mode;
    /// <summary>When the storage component last said that the file is there and held (LeaseClock).</summary>
    public ulong HeldSince;
    /// <summary>When a program read it first since it changed, 0 = none has; and a moment until which that is so (ReadTimes).</summary>
    public ulong ReadAtNs;
    public ulong ReadMoment;
    /// <summary>False: the file was made here, and the memory component has not been asked for it yet.</summary>
    public bool IsAtMemory;
    /// <summary>True when its last name has gone: Path is where it was, and the file goes with the last close.</summary>
    public bool IsUnlinked;
    /// <summary>Its number among mapped files, 0 = it is not mapped (Backings).</summary>
    public uint Backing;
    /// <summary>Calls that change its bytes or size and began while it was not mapped (FileMappings.BeginChange).</summary>
    public uint UnmappedChanges;
    /// <summary>Calls that have changed its bytes or size by message, or are about to.</summary>
    public uint Changes;
    /// <summary>Its size by the answer to the last of them, and when that was asked for; 0 = not known (KeptWrites).</summary>
    public ulong WrittenSize;
    public ulong WrittenMoment;
    /// <summary>The number of the object while pages of it are written and not written out (KeptWrites); 0 = there are none.</summary>
    public uint KeptObject;
    /// <summary>Somebody writes them out.</summary>
    public bool IsWritingOut;
    /// <summary>Why the last write-out failed that did, how many have, and how many of them an fsync has told of.</summary>
    public Errno KeptError;
    public uint KeptErrors;
    public uint KeptErrorsTold;
    /// <summary>Where the last of the kept pages ends, as far as the file goes, and when one was written last.</summary>
    public ulong KeptEnd;
    public ulong KeptTimeNs;
    /// <summary>Open files that may write to it: while there are any it cannot be run (ETXTBSY).</summary>
    public uint Writers;
    /// <summary>Not null for a memory object, which no storage component knows.</summary>
    public MemoryFile* Memory;
    /// <summary>The ring of a FIFO while somebody has it open.</summary>
    public Pipe* Fifo;
    /// <summary>Not null while somebody watches it: one of the references is that one's.</summary>
    public WatchedFile* Watched;

    internal FileNode* NextKeeper;
    internal FileNode* NextKept;
    internal FileNode* PreviousKept;
    private ObjectPointer<FileNodes> _table;
    private ushort _pathLength;
    private InlinePath _inlinePath;
    private byte* _longPath;

    [InlineArray(InlinePathBytes)]
    private struct InlinePath
    {
        private byte _first;
    }

    /// <summary>What its pages are pages of.</summary>
    public readonly ObjectIdentity Identity => new() { Handle = Handle, Volume = Place.Storage };

    /// <summary>Set-user-ID or set-group-ID, which a write takes away.</summary>
    public readonly bool HasSetId => (Mode & (FileMode.SetUserId | FileMode.SetGroupId)) != 0;

    public readonly bool IsDirectory => (Mode & FileMode.TypeMask) == FileMode.Directory;

    /// <summary>Canonical path, no terminator; empty when it is longer than any path. Valid until the path changes.</summary>
    public ReadOnlySpan<byte> Path =>
        new(_longPath != null ? _longPath : (byte*)Unsafe.AsPointer(ref _inlinePath), _pathLength);

    /// <summary>The table that it stands in.</summary>
    public readonly FileNodes Table => _table.Target;

    /// <summary>Changes the path; ENOMEM.</summary>
    public Errno SetPath(FrameAllocator frames, scoped ReadOnlySpan<byte> path)
    {
        if (path.Length > InlinePathBytes && _longPath == null)
        {
            _longPath = (byte*)frames.Allocate();
            if (_longPath == null)
            {
                return Errno.ENOMEM;
            }
        }

        byte* target = _longPath != null ? _longPath : (byte*)Unsafe.AsPointer(ref _inlinePath);
        path.CopyTo(new Span<byte>(target, PathRequest.MaxPath));
        _pathLength = (ushort)path.Length;
        return Errno.None;
    }

    /// <summary>True when its path takes no memory of its own.</summary>
    internal readonly bool IsSmall => _longPath == null;

    internal void SetTable(ObjectPointer<FileNodes> table) => _table = table;

    internal void FreePath(FrameAllocator frames)
    {
        if (_longPath != null)
        {
            frames.Free(_longPath);
            _longPath = null;
        }
    }
}
