// What inotify_init(2) makes: watches, and a queue of what has happened to what they watch. In slabs. Nothing here blocks.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct inotify_event without its name.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct InotifyRecord
{
    public int Watch;
    public InotifyMask Mask;
    /// <summary>Joins the two halves of a rename; else 0.</summary>
    public uint Cookie;
    /// <summary>Bytes of the name that follows, its padding counted.</summary>
    public uint NameBytes;
}

/// <summary>An event that has not been read.</summary>
public struct InotifyEvent
{
    /// <summary>NAME_MAX and the terminator.</summary>
    public const int MaxNameBytes = 256;

    public unsafe InotifyEvent* Next;
    public InotifyRecord Record;
    internal ushort NameLength;
    private NameBytes _name;

    [InlineArray(MaxNameBytes)]
    private struct NameBytes
    {
        private byte _first;
    }

    /// <summary>The name in the watched directory; empty when it is about the watched file itself.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<byte> Name => ((ReadOnlySpan<byte>)_name).Slice(0, NameLength);

    /// <summary>The name as it is read: terminated, and zeros up to a multiple of a record.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<byte> PaddedName => ((ReadOnlySpan<byte>)_name).Slice(0, (int)Record.NameBytes);

    internal void SetName(scoped ReadOnlySpan<byte> name)
    {
        int record = Unsafe.SizeOf<InotifyRecord>();
        NameLength = (ushort)Math.Min(name.Length, MaxNameBytes - 1);
        name.Slice(0, NameLength).CopyTo(_name);
        Record.NameBytes = NameLength == 0 ? 0 : (uint)((NameLength + record) / record * record);
    }
}

/// <summary>One watch: what an instance wants to hear of one file.</summary>
public unsafe struct InotifyWatch
{
    public int Number;
    public InotifyMask Mask;
    public InotifyInstance* Instance;
    public WatchedFile* File;
    internal InotifyWatch* NextOfFile;
    internal InotifyWatch* NextOfInstance;
}

/// <summary>A file that somebody watches; it holds one reference to the node, however many watches and notices there are.</summary>
public unsafe struct WatchedFile
{
    public FileNode* Node;
    internal InotifyWatch* First;
    /// <summary>Open files of it, a directory, whose owners are told.</summary>
    internal DirectoryNotice* Notices;
    internal WatchedFile* NextInBucket;
    internal uint PathHash;
}

/// <summary>An instance: its watches and its queue.</summary>
public unsafe struct InotifyInstance
{
    /// <summary>max_queued_events.</summary>
    public const uint MostQueued = 16384;

    public uint UserId;
    public uint Watches;
    public WaitQueue Arrived;
    public Watchers Watchers;
    internal InotifyWatch* First;
    internal InotifyInstance* Next;
    internal int LastNumber;
    internal InotifyEvent* FirstEvent;
    internal InotifyEvent* LastEvent;
    internal uint Queued;
    internal ulong QueuedBytes;
    /// <summary>The event that says that others were lost: there is room for it when there is none for others.</summary>
    internal InotifyEvent* Overflow;
    internal bool IsOverflowQueued;
}
