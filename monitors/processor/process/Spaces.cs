// Requests of a process's address space to its home memory component, and the life of the space at this component. Each reply replaces
// the cached ranges, that of a refused request, too: it may have been carried out in part. Everything here that sends BLOCKS.
// Messages: monitors/fabric/messages/SpaceMessages.cs.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Address spaces and their home.</summary>
public sealed unsafe class Spaces
{
    private const int NodeShift = 24;

    private readonly FrameAllocator _frames;
    private readonly RpcEndpoint _rpc;
    private readonly ExCache _cache;
    private readonly ScratchBuffers _scratch;
    private readonly Backings _backings;
    private readonly Slab<AddressSpace> _spaces;
    private AddressSpace* _first;
    private uint _lastNumber;

    /// <summary>No spaces yet; boot time.</summary>
    public Spaces(FrameAllocator frames, RpcEndpoint rpc, ExCache cache, ScratchBuffers scratch, Backings backings)
    {
        _frames = frames;
        _rpc = rpc;
        _cache = cache;
        _scratch = scratch;
        _backings = backings;
        _spaces = new Slab<AddressSpace>(frames);
        Advices = new ForkAdvices(frames);
    }

    /// <summary>The first of all spaces of this component, linked by Next.</summary>
    public AddressSpace* First => _first;

    /// <summary>What madvise has said about forks.</summary>
    public ForkAdvices Advices { get; }

    /// <summary>A space with an empty page table and a name of its own; null when memory is exhausted.</summary>
    public AddressSpace* Create(ushort home, ushort vnode)
    {
        AddressSpace* space = _spaces.Allocate();
        if (space == null)
        {
            return null;
        }

        space->PageTableRoot = PageTable.CreateUser(_frames);
        if (space->PageTableRoot == 0)
        {
            _spaces.Free(space);
            return null;
        }

        space->Asid = NextName(_rpc.Node, ref _lastNumber, _first);
        space->Home = home;
        space->VNode = vnode;
        space->Users = 1;
        space->Next = _first;
        if (_first != null)
        {
            _first->Previous = space;
        }

        _first = space;
        return space;
    }

    /// <summary>
    /// A name that no space on the list has: numbers come round after 2^24 forks and execs, and some processes live long.
    /// </summary>
    internal static uint NextName(ushort node, ref uint last, AddressSpace* first)
    {
        while (true)
        {
            last = (last + 1) & ((1u << NodeShift) - 1);
            uint name = ((uint)node << NodeShift) | last;
            AddressSpace* space = first;
            while (space != null && space->Asid != name)
            {
                space = space->Next;
            }

            if (space == null)
            {
                return name;
            }
        }
    }

    /// <summary>
    /// Keeps the space alive over waits for somebody who is not one of its processes; Release ends it.
    /// </summary>
    public static void Hold(AddressSpace* space) => space->Users++;

    /// <summary>One user less; the last one drops all lines and tells the home.</summary>
    [Blocks]
    public void Release(AddressSpace* space)
    {
        space->Users--;
        if (space->Users != 0)
        {
            return;
        }

        _cache.DropSpace(space);
        RpcContext context = ContextOf(space);
        Errno error = _rpc.Call(space->Home, Opcode.Exit, in context, default, default, default, out _);
        if (error is not (Errno.None or Errno.ESRCH))
        {
            Log.Warn($"address space {space->Asid:x}: its home, component {(int)space->Home}, did not confirm the end, error {(int)error}");
        }

        Discard(space);
    }

    /// <summary>Frees a space that its home does not know (any more). BLOCKS while files are given up.</summary>
    public void Discard(AddressSpace* space)
    {
        if (space->PageTableRoot != 0)
        {
            PageTable.Free(space->PageTableRoot, _frames);
        }

        Advices.Clear(space);
        _backings.Release(space->Backings);
        space->Backings = null;
        space->Ranges.Clear(_frames);
        space->Regions.Clear(_frames);
        if (space->Previous != null)
        {
            space->Previous->Next = space->Next;
        }
        else
        {
            _first = space->Next;
        }

        if (space->Next != null)
        {
            space->Next->Previous = space->Previous;
        }

        _spaces.Free(space);
    }

    /// <summary>Lets a space go that was held for a change, and gives up the files that it no longer maps.</summary>
    [Blocks]
    public void EndChange(AddressSpace* space)
    {
        SpaceBacking* gone = Backings.Prune(space);
        _cache.EndChange(space);
        _backings.Release(gone);
    }

    /// <summary>
    /// Asks the home for a change after which the old pages of [start, end) are gone (munmap, MAP_FIXED, MADV_DONTNEED), and forgets them
    /// once it has agreed. On an error, also of what shared mappings had to write back first, they are as before.
    /// <paramref name="backing"/> is the file that the request maps, 0 = none; the caller holds it. ENOMEM, EPROTO as for Request.
    /// </summary>
    [Blocks]
    public Errno Replace<T>(AddressSpace* space, Opcode opcode, in T head, ReadOnlySpan<byte> payload, ulong start, ulong end,
        uint backing, out ulong address) where T : unmanaged
    {
        address = 0;
        ExCache cache = _cache;
        using Scratch scratch = _scratch.Take();
        cache.BeginChange(space);
        Errno error = Advices.Reserve(space, start < end ? ForkAdvices.ToForget : 0, out AdvisedRange* spare);
        error = error != Errno.None ? error : cache.Leave(space, start, end);
        error = error != Errno.None || backing == 0 ? error : _backings.Add(space, backing, BackingUse.Mapped);
        error = error != Errno.None ? error : Request(space, space, opcode, in head, payload, scratch.Reply, out address);
        if (error == Errno.None)
        {
            cache.Drop(space, start, end);
            Advices.Forget(space, start, end, ref spare);
        }
        else
        {
            cache.Settle(space, start, end);
        }

        Advices.GiveBack(ref spare);
        EndChange(space);
        return error;
    }

    /// <summary>Unmaps [start, end). ENOMEM, EPROTO, errors of the fabric.</summary>
    [Blocks]
    public Errno Unmap(AddressSpace* space, ulong start, ulong end)
    {
        RangeRequest request = new() { Address = start, Length = end - start };
        return Replace(space, Opcode.Unmap, in request, default, start, end, 0, out _);
    }

    /// <summary>
    /// MADV_DONTNEED: the pages of a part of one range are as after mmap again: zeros, or what the file has. The home hears of it only when
    /// it has any of them.
    /// </summary>
    [Blocks]
    public Errno Empty(AddressSpace* space, ulong start, ulong end)
    {
        RangeRequest request = new() { Address = start, Length = end - start };
        using Scratch scratch = _scratch.Take();
        _cache.BeginChange(space);
        Errno error = _cache.Leave(space, start, end);
        if (error == Errno.None && _cache.AnyRemote(space, start, end))
        {
            error = Request(space, space, Opcode.Discard, in request, default, scratch.Reply, out _);
        }

        if (error == Errno.None)
        {
            _cache.Drop(space, start, end);
        }

        _cache.Settle(space, start, end);
        EndChange(space);
        return error;
    }

    /// <summary>Notes or forgets what a child is to have of a range. It waits for map calls, which know what records they need.</summary>
    [Blocks]
    public Errno Advise(AddressSpace* space, ulong start, ulong end, ForkAdvice advice, bool isOn)
    {
        _cache.BeginChange(space);
        Errno error = Advices.Set(space, start, end, advice, isOn);
        EndChange(space);
        return error;
    }

    /// <summary>
    /// A child's new space loses what it is not to have, and gets zeros where it is to have zeros (MADV_DONTFORK, MADV_WIPEONFORK).
    /// </summary>
    [Blocks]
    public Errno ObeyAdvice(AddressSpace* parent, AddressSpace* child)
    {
        Errno error = Advices.Copy(parent, child);
        AdvisedRange* range = ForkAdvices.Find(child->Advised, ForkAdvice.Without);
        while (error == Errno.None && range != null)
        {
            // With what is unmapped the record goes.
            error = Unmap(child, range->Start, range->End);
            range = ForkAdvices.Find(child->Advised, ForkAdvice.Without);
        }

        range = ForkAdvices.Find(child->Advised, ForkAdvice.Wiped);
        while (error == Errno.None && range != null)
        {
            ulong start = range->Start;
            while (error == Errno.None && start < range->End)
            {
                bool isMapped = child->TryFindRange(start, out VmaRecord mapped);
                ulong stop = Math.Min(isMapped ? mapped.End : child->NextRangeStart(start, range->End), range->End);
                error = isMapped ? Empty(child, start, stop) : Errno.None;
                start = stop;
            }

            range = ForkAdvices.Find(range->Next, ForkAdvice.Wiped);
        }

        return error;
    }

    /// <summary>Asks the home for a change that leaves all pages where they are, and lets lines of [start, end) follow it.</summary>
    [Blocks]
    public Errno Change<T>(AddressSpace* space, Opcode opcode, in T head, ReadOnlySpan<byte> payload, ulong start, ulong end,
        out ulong address) where T : unmanaged
    {
        ExCache cache = _cache;
        using Scratch scratch = _scratch.Take();
        cache.BeginChange(space);
        Errno error = Request(space, space, opcode, in head, payload, scratch.Reply, out address);
        cache.Settle(space, start, end);
        EndChange(space);
        return error;
    }

    /// <summary>
    /// Sends a request whose reply is a SpaceReply with records, and applies them to <paramref name="target"/> (fork: the child's space).
    /// EPROTO: what the home says makes no sense, so nothing is known about the space any more and its processes must end. The caller holds
    /// the space.
    /// </summary>
    public Errno Request<T>(AddressSpace* space, AddressSpace* target, Opcode opcode, in T head, ReadOnlySpan<byte> payload,
        Span<byte> reply, out ulong address) where T : unmanaged
    {
        address = 0;
        Errno error = target->ReserveRecords(_frames);
        if (error != Errno.None)
        {
            return error;
        }

        RpcContext context = ContextOf(space);
        error = _rpc.Call(space->Home, opcode, in context, in head, payload, reply, out int received);
        bool hasRecords = received >= sizeof(SpaceReply);
        if (error != Errno.None && (!hasRecords || target != space))
        {
            return error;
        }

        if (!hasRecords)
        {
            return Errno.EPROTO;
        }

        SpaceReply answer = MemoryMarshal.Read<SpaceReply>(reply);
        ReadOnlySpan<byte> records = reply.Slice(sizeof(SpaceReply), received - sizeof(SpaceReply));
        Errno applied = target->Apply(_frames, answer.VmaCount, answer.RegionCount, records);
        if (applied != Errno.None)
        {
            return applied == Errno.ENOMEM && target != space ? applied : Errno.EPROTO;
        }

        address = answer.Address;
        return error;
    }

    /// <summary>The message context of a space.</summary>
    public static RpcContext ContextOf(AddressSpace* space) =>
        new() { VNode = space->VNode, Asid = space->Asid, Class = RpcClass.DemandFetch };
}
