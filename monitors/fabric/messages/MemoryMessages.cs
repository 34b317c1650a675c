// Messages of the ExCache: a processor component's line misses and write-backs, sent straight to the memory component that owns
// the vRegion. vnode and asid stand in the message header. LegoOS: PCACHE_MISS, PCACHE_FLUSH and the piggybacked pair of both.
//
// Miss       request MissRequest                     reply: the page, 4096 bytes (empty = a zero page that the owner has no frame for)
// MissFlush  request MissFlushRequest + 4096 bytes   reply: as Miss; the victim has been taken over before the page is read
// Flush      request FlushRequest + Count entries of FlushEntry + Pages pages     reply: empty
// Pages of files, that is of mappings that have not written to them, and what goes back into files are the home's business wherever the
// range lies: it caches files.
// Errors: EFAULT no mapping, EACCES not allowed, EIO past the end of a mapped file, ENOMEM no frame left, ESRCH unknown address space,
// EREMOTE another component owns the vRegion.

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>How the faulting instruction touched the page.</summary>
public enum MissAccess : uint { Read = 0, Write = 1, Execute = 2 }

/// <summary>Fetch one page.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MissRequest
{
    /// <summary>Page-aligned user address.</summary>
    public ulong Address;
    public MissAccess Access;
    public uint Reserved;
}

/// <summary>Fetch one page and take over a dirty one that had to make room for it; the page's bytes follow.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MissFlushRequest
{
    public MissRequest Miss;
    public ulong VictimAddress;
    /// <summary>Address space of the victim; it may be another process's.</summary>
    public uint VictimAsid;
    public uint Reserved;
}

/// <summary>
/// Write dirty pages back: <see cref="Count"/> entries, then <see cref="Pages"/> pages. Several entries may name the same page: after a
/// fork it is the newest of parent and child.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FlushRequest
{
    public const int MaxPages = 14;
    public const int MaxCount = 32;
    public uint Count;
    public uint Pages;
}

/// <summary>Says whose a page of a <see cref="FlushRequest"/> is.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct FlushEntry
{
    public ulong Address;
    public uint Asid;
    /// <summary>Which of the pages it is.</summary>
    public uint Page;
}
