// Group 1: lines of a processor component's ExCache. Miss fetches a page, Flush takes pages over, MissFlush does both in one message.
// The hot path of the whole rack: space, vma, frame, reply. Everything runs inline in the poller when the page is resident, and the reply
// is sent from the frame itself; a page that must come from a storage component, or a frame that only write-back can free, is a worker's
// job. A processor component keeps the victim of a MissFlush in flight until the reply, so a deferred one cannot overtake a later write-
// back.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Serves Miss, MissFlush and Flush.</summary>
internal sealed unsafe class LineService : RpcService
{
    /// <summary>A fetched page can be evicted before it is served when memory is very short; after so many times it counts as
    /// exhausted.</summary>
    private const int MaxAttempts = 16;
    private const int PageShift = 12;

    private readonly AddressSpaces _spaces;
    private readonly FrameMap _frames;
    private readonly FileCache _files;
    private ulong _misses;
    private ulong _zeroPages;
    private ulong _filePages;
    private ulong _writtenBack;
    private ulong _violations;
    private ulong _outOfMemory;
    /// <summary>Requests for pages of vRegions that are another component's.</summary>
    private ulong _wrongOwner;

    internal LineService(AddressSpaces spaces, FrameMap frames, FileCache files)
    {
        _spaces = spaces;
        _frames = frames;
        _files = files;
    }

    /// <summary>What a worker must wait for before the request can be served.</summary>
    private struct Obstacle
    {
        /// <summary>Null: frames are missing.</summary>
        internal CachedFile* File;
        internal ulong PageIndex;
        /// <summary>The page that a shared file cannot take without waiting; null: one of the file must be fetched.</summary>
        internal byte* Page;
        /// <summary>Its place among those of the request.</summary>
        internal int Entry;
    }

    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request) =>
        Serve(ref request, 0, out _) ? RpcDisposition.Done : RpcDisposition.Deferred;

    /// <inheritdoc/>
    public override void Handle(ref RpcRequest request)
    {
        // Pages that shared files have taken over: one that had to be written through is not offered again.
        uint taken = 0;
        for (int attempt = 0; attempt < MaxAttempts; attempt++)
        {
            if (Serve(ref request, taken, out Obstacle obstacle))
            {
                return;
            }

            Errno error = Remove(obstacle);
            if (error != Errno.None && (obstacle.Page == null || error == Errno.ENOMEM))
            {
                Refuse(ref request, error);
                return;
            }

            if (obstacle.Page != null)
            {
                taken |= 1u << obstacle.Entry;
                attempt--;
            }
        }

        Refuse(ref request, Errno.ENOMEM);
    }

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) => opcode == Opcode.Miss;

    /// <inheritdoc/>
    public override bool RunsReplays(Opcode opcode) => opcode == Opcode.MissFlush;

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.misses"u8, _misses);
        writer.Add("memory.misses_zero"u8, _zeroPages);
        writer.Add("memory.misses_file"u8, _filePages);
        writer.Add("memory.pages_written_back"u8, _writtenBack);
        writer.Add("memory.violations"u8, _violations);
        writer.Add("memory.out_of_memory"u8, _outOfMemory);
        writer.Add("memory.wrong_owner"u8, _wrongOwner);
    }

    /// <summary>Serves the request when that needs no waiting; false = the obstacle must be removed first.</summary>
    private bool Serve(ref RpcRequest request, uint taken, out Obstacle obstacle)
    {
        obstacle = default;
        switch (request.Opcode)
        {
            case Opcode.Miss:
                if (request.TryReadHead(out MissRequest miss, out _))
                {
                    AddressSpace* space = _spaces.Find(request.VNode, request.Asid);
                    return ServeMiss(ref request, miss, space, VmaOf(space, miss.Address), ref obstacle);
                }

                break;
            case Opcode.MissFlush:
                if (request.TryReadHead(out MissFlushRequest both, out ReadOnlySpan<byte> page) && page.Length == PageOperations.PageSize)
                {
                    return ServeMissFlush(ref request, both, page, taken, ref obstacle);
                }

                break;
            case Opcode.Flush:
                if (request.TryReadHead(out FlushRequest flush, out ReadOnlySpan<byte> rest) && flush.Count <= FlushRequest.MaxCount
                    && flush.Pages <= FlushRequest.MaxPages
                    && rest.Length == ((int)flush.Count * sizeof(FlushEntry)) + ((int)flush.Pages * PageOperations.PageSize))
                {
                    return ServeFlush(ref request, in flush, rest, taken, ref obstacle);
                }

                break;
            default:
                request.Reply(Errno.EOPNOTSUPP);
                return true;
        }

        _violations++;
        request.Reply(Errno.EPROTO);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vma* VmaOf(AddressSpace* space, ulong address) => space == null ? null : VmaTree.Find(space, address);

    /// <summary>Space and vma are those of the address, or null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool ServeMiss(ref RpcRequest request, in MissRequest miss, AddressSpace* space, Vma* vma, ref Obstacle obstacle)
    {
        if (vma == null || !Allows(vma->Protection, miss.Access) || !AddressLayout.IsPageAligned(miss.Address))
        {
            request.Reply(Explain(space, vma, miss));
            return true;
        }

        byte* frame = _frames.Find(space, miss.Address);
        if (frame == null && vma->File != null)
        {
            ulong index = (vma->FileOffset + (miss.Address - vma->Start)) >> PageShift;
            CacheOutcome outcome = _files.TryGetPage(vma->File, index, out frame, out Errno error);
            if (outcome != CacheOutcome.Done)
            {
                obstacle.File = vma->File;
                obstacle.PageIndex = index;
                return false;
            }

            if (error != Errno.None)
            {
                request.Reply(error);
                return true;
            }

            _filePages++;
        }

        if (frame == null && vma->File == null && !_spaces.Owns(space, miss.Address))
        {
            _wrongOwner++;
            request.Reply(Errno.EREMOTE);
            return true;
        }

        _misses++;
        if (frame == null)
        {
            _zeroPages++;
            request.Reply(Errno.None);
            return true;
        }

        request.Reply(Errno.None, default, new ReadOnlySpan<byte>(frame, PageOperations.PageSize));
        return true;
    }

    private bool ServeMissFlush(ref RpcRequest request, in MissFlushRequest both, ReadOnlySpan<byte> page, uint taken,
        ref Obstacle obstacle)
    {
        AddressSpace* space = _spaces.Find(request.VNode, request.Asid);
        Vma* vma = VmaOf(space, both.Miss.Address);
        // A replay has taken the victim over before, and by now there may be a newer write-back of it.
        if (!request.IsReplay)
        {
            if (NeedsFetch(space, vma, both.Miss.Address, ref obstacle))
            {
                return false;
            }
            // A victim that belongs to nobody any more is dropped; the miss is somebody else's and goes on. But one that another component
            // may have a place for is refused, and the miss with it: its page must not get lost.
            uint stored = 0;
            if (taken == 0)
            {
                Errno error = TakeOver(in request, both.VictimAsid, both.VictimAddress, page, ref stored, ref obstacle);
                if (error != Errno.None && error is Errno.ENOMEM or Errno.EREMOTE or Errno.ESRCH)
                {
                    return error != Errno.ENOMEM && Deny(ref request);
                }
            }
        }

        return ServeMiss(ref request, both.Miss, space, vma, ref obstacle);
    }

    /// <summary>Who hears that another component may have a place for a page sends all of the message again, elsewhere.</summary>
    private static Errno AddRefusal(Errno known, Errno error) =>
        known == Errno.None || error == Errno.EREMOTE || (known != Errno.EREMOTE && error == Errno.ESRCH) ? error : known;

    /// <summary>The victim is another component's by now: nothing of the message has happened.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool Deny(ref RpcRequest request)
    {
        request.Reply(Errno.EREMOTE);
        return true;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    [SkipLocalsInit]
    private bool ServeFlush(ref RpcRequest request, in FlushRequest flush, ReadOnlySpan<byte> rest, uint taken, ref Obstacle obstacle)
    {
        ReadOnlySpan<FlushEntry> entries = MemoryMarshal.Cast<byte, FlushEntry>(rest.Slice(0, (int)flush.Count * sizeof(FlushEntry)));
        ReadOnlySpan<byte> pages = rest.Slice(entries.Length * sizeof(FlushEntry));
        // The frame that each page has been stored in.
        Span<uint> stored = stackalloc uint[FlushRequest.MaxPages];
        stored.Clear();
        Errno first = Errno.None;
        for (int index = 0; index < entries.Length; index++)
        {
            FlushEntry entry = entries[index];
            if ((taken & (1u << index)) != 0)
            {
                continue;
            }

            if (entry.Page >= flush.Pages)
            {
                _violations++;
                first = Errno.EPROTO;
                break;
            }

            ReadOnlySpan<byte> page = pages.Slice((int)entry.Page * PageOperations.PageSize, PageOperations.PageSize);
            Errno error = TakeOver(in request, entry.Asid, entry.Address, page, ref stored[(int)entry.Page], ref obstacle);
            if (error == Errno.ENOMEM)
            {
                obstacle.Entry = index;
                return false;
            }

            if (error != Errno.None)
            {
                first = AddRefusal(first, error);
            }
        }

        request.Reply(first);
        return true;
    }

    /// <summary>Stores a written-back page after the checks, in the frame <paramref name="stored"/> if another entry has brought it there.
    /// ENOMEM: after what the obstacle says; or why it does not belong here (a violation).</summary>
    private Errno TakeOver(in RpcRequest request, uint asid, ulong address, ReadOnlySpan<byte> page, ref uint stored,
        ref Obstacle obstacle)
    {
        AddressSpace* space = _spaces.Find(request.VNode, asid);
        if (space == null)
        {
            _violations++;
            return Errno.ESRCH;
        }

        byte* bytes = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(page));
        Vma* vma = VmaTree.Find(space, address);
        if (vma == null || !AddressLayout.IsPageAligned(address))
        {
            bool isOwners = request.Source != space->Processor && AddressLayout.IsPageAligned(address);
            if (vma == null && isOwners && _spaces.IsGranted(space, address))
            {
                // An owner's copy of a page that mremap is about to move here (RegionOwners).
                return _frames.Store(space, address, bytes, ref stored);
            }

            _violations++;
            _wrongOwner += space->IsPart ? 1UL : 0;
            return AddressSpaces.ExplainMissing(space);
        }

        // A page that programs share comes from whoever had it last, who may only read it.
        if ((vma->Traits & (VmaTraits.WasWritable | VmaTraits.Shared)) == 0)
        {
            _violations++;
            return Errno.EACCES;
        }

        if (vma->File != null && (vma->Traits & VmaTraits.Shared) != 0)
        {
            ulong index = (vma->FileOffset + (address - vma->Start)) >> PageShift;
            if (_files.TryTakePage(vma->File, index, bytes, out Errno refused) != CacheOutcome.Done)
            {
                obstacle = new Obstacle { File = vma->File, PageIndex = index, Page = bytes };
                return Errno.ENOMEM;
            }

            _writtenBack += refused == Errno.None ? 1u : 0;
            return refused;
        }

        // A page behind the end of a file that has become shorter belongs to nobody; it was on its way when that happened.
        if (vma->File != null && vma->File->IsLoaded && vma->FileOffset + (address - vma->Start) >= AddressLayout.PageUp(vma->File->Size))
        {
            return Errno.EFAULT;
        }

        if (!_spaces.Owns(space, address))
        {
            _wrongOwner++;
            return Errno.EREMOTE;
        }

        Errno error = _frames.Store(space, address, bytes, ref stored);
        if (error == Errno.None)
        {
            _writtenBack++;
        }

        return error;
    }

    /// <summary>True when the miss will have to wait for a storage component anyway.</summary>
    private bool NeedsFetch(AddressSpace* space, Vma* vma, ulong address, ref Obstacle obstacle)
    {
        if (vma == null || vma->File == null || _frames.Find(space, address) != null)
        {
            return false;
        }

        ulong index = (vma->FileOffset + (address - vma->Start)) >> PageShift;
        if (_files.TryGetPage(vma->File, index, out _, out _) == CacheOutcome.Done)
        {
            return false;
        }

        obstacle.File = vma->File;
        obstacle.PageIndex = index;
        return true;
    }

    /// <summary>As Linux's access_error on x86-64: any right lets a page be read, writing and executing need their own.</summary>
    private static bool Allows(Protection protection, MissAccess access) => access switch
    {
        MissAccess.Read => protection != Protection.None,
        MissAccess.Write => (protection & Protection.Write) != 0,
        MissAccess.Execute => (protection & Protection.Execute) != 0,
        _ => false,
    };

    private Errno Explain(AddressSpace* space, Vma* vma, in MissRequest miss)
    {
        if (space == null)
        {
            _violations++;
            return Errno.ESRCH;
        }

        if (!AddressLayout.IsPageAligned(miss.Address))
        {
            _violations++;
            return Errno.EINVAL;
        }

        if (vma == null)
        {
            _wrongOwner += space->IsPart ? 1UL : 0;
            return AddressSpaces.ExplainMissing(space);
        }

        _violations++;
        return Errno.EACCES;
    }

    /// <summary>Waits for what is in the way.</summary>
    [Blocks]
    private Errno Remove(in Obstacle obstacle)
    {
        if (obstacle.File == null)
        {
            return _files.MakeRoom(FlushRequest.MaxCount) || _files.MakeRoom(1) ? Errno.None : Errno.ENOMEM;
        }

        FileCache.Hold(obstacle.File);
        Errno error = obstacle.Page != null ? _files.TakePage(obstacle.File, obstacle.PageIndex, obstacle.Page)
            : _files.Fetch(obstacle.File, obstacle.PageIndex, FetchReason.Mapping);
        _files.Release(obstacle.File);
        return error;
    }

    private void Refuse(ref RpcRequest request, Errno error)
    {
        // Whatever the miss ends with, the victim that rode on it is taken over; otherwise its bytes would be lost.
        Obstacle obstacle = default;
        uint stored = 0;
        if (request.Opcode == Opcode.MissFlush && !request.IsReplay
            && request.TryReadHead(out MissFlushRequest both, out ReadOnlySpan<byte> page))
        {
            Errno taken = TakeOver(in request, both.VictimAsid, both.VictimAddress, page, ref stored, ref obstacle);
            if (taken == Errno.ENOMEM && (obstacle.Page == null || Remove(obstacle) == Errno.ENOMEM))
            {
                error = Errno.ENOMEM;
            }

            error = taken is Errno.EREMOTE or Errno.ESRCH ? Errno.EREMOTE : error;
        }

        if (error == Errno.ENOMEM)
        {
            _outOfMemory++;
            Log.Error($"no memory left for a page of address space {request.Asid}");
        }

        request.Reply(error);
    }
}
