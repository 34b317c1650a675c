// One file in a memory component's cache: whole files live on one m. Named by storage component (one volume each), inode and generation;
// the path is kept because every request to a storage component carries it. A record exists while it has pages, mappings or a user.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>What a worker is doing with a file at the storage component; one thing at a time.</summary>
internal enum FileActivity : byte
{
    None,
    Reading,
    Writing,
    /// <summary>The size is changing; unlike the others this one also keeps the inline paths out.</summary>
    Truncating,
}

/// <summary>State of one cached file.</summary>
public unsafe struct CachedFile
{
    internal const int InlinePathBytes = 128;

    internal CachedFile* NextInBucket;
    internal FileHandle Handle;
    /// <summary>On whose behalf the storage component is asked: the vNode that used the file first.</summary>
    internal ushort VNode;
    internal ushort Storage;

    /// <summary>A memory object (MemoryObjects): nobody stores it, so what has been written to it stays here until it ends.</summary>
    internal readonly bool IsObject => Storage == MemoryObjects.Storage;

    /// <summary>Size is known.</summary>
    internal bool IsLoaded;
    /// <summary>The file was deleted: pages stay for those who map it, nothing can be fetched or written any more.</summary>
    internal bool IsDead;
    internal FileActivity Activity;
    internal WaitQueue Idle;

    /// <summary>Operations that use the record across a wait.</summary>
    internal uint Users;
    /// <summary>Vmas that map it.</summary>
    internal uint Mappings;
    /// <summary>Those that are shared and writable, or may come to be.</summary>
    internal uint WritableMappings;

    /// <summary>As programs see it; at the storage component it is StoredSize until the dirty pages are written.</summary>
    internal ulong Size;
    internal ulong StoredSize;
    /// <summary>Time of the last write that is still only here; 0 = what the storage component says is right.</summary>
    internal ulong ModifyTimeNs;
    /// <summary>The last failure of a write-back, and its number among all of this cache; 0 = none (WriteErrors in
    /// FileCache.WriteBack.cs).</summary>
    internal Errno WriteError;
    internal uint WriteErrorNumber;
    /// <summary>Pages given up since then.</summary>
    internal uint LostPages;
    /// <summary>Some FileSync has reported it.</summary>
    internal bool IsWriteErrorSeen;

    internal CachePage* Pages;
    internal ulong PageCount;
    internal CachePage* FirstDirty;
    internal CachePage* LastDirty;
    internal uint DirtyCount;
    internal uint WritingCount;
    internal ulong DirtySinceNs;
    internal CachedFile* NextDirty;
    internal CachedFile* PreviousDirty;

    /// <summary>Page where a sequential reader goes on; decides the size of the next read-ahead.</summary>
    internal ulong NextSequentialPage;

    internal int PathLength;
    /// <summary>A frame of its own for a path that does not fit inline.</summary>
    internal byte* LongPath;
    internal fixed byte Path[InlinePathBytes];
}

/// <summary>Where a cached page stands.</summary>
internal enum PageState : byte
{
    /// <summary>As stored; in the clock ring, may be evicted.</summary>
    Clean,
    /// <summary>Newer than stored; in its file's dirty list.</summary>
    Dirty,
    /// <summary>On its way to the storage component; in no list. Dirty, DirtyWhileWriting and Writing pages have a credit each of their
    /// volume (VolumeSpaces), DirtyWhileWriting pages two.</summary>
    Writing,
    /// <summary>Written to while on its way; in the dirty list.</summary>
    DirtyWhileWriting,
    /// <summary>The only copy: of a memory object, or of a deleted file that is still mapped; in no list.</summary>
    Kept,
}

/// <summary>One page of a file in memory.</summary>
internal unsafe struct CachePage
{
    internal CachePage* NextInBucket;
    internal CachedFile* File;
    internal ulong Index;
    internal byte* Frame;
    internal PageState State;
    /// <summary>Used since the clock hand passed.</summary>
    internal bool IsReferenced;
    /// <summary>Served to a mapping at least once (statistics, row L35).</summary>
    internal bool IsMapped;
    internal CachePage* NextOfFile;
    internal CachePage* PreviousOfFile;
    /// <summary>The clock ring, or the file's dirty list.</summary>
    internal CachePage* Next;
    internal CachePage* Previous;
    /// <summary>Number, among all of this cache, of the oldest write to the page that is not stored; the dirty list is in this order.
    /// While the page is being written: of the oldest one since.</summary>
    internal ulong DirtyNumber;
    /// <summary>While the page is being written: of the oldest write on its way.</summary>
    internal ulong WritingNumber;
    /// <summary>Write-backs of it that have failed in a row.</summary>
    internal byte Failures;
}
