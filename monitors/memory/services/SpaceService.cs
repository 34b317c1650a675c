// Group 2: a processor component's requests about address spaces. Each reply carries the complete list of mappings and vRegions, so a
// processor component that lost a reply is right again after the next one.
// Runs inline; Execute, and operations that need an owner for new vRegions or a file's handle, run in a worker, which looks the space up
// again after every wait.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Serves Execute, Fork, Exit, Map, Unmap, Discard, Protect, Remap and Break; the rest by PartRequests and MoveRequests.</summary>
internal sealed unsafe class SpaceService : RpcService
{
    /// <summary>No rack has more memory components.</summary>
    private const int MostOwners = 64;

    private readonly AddressSpaces _spaces;
    private readonly FileCache _files;
    private readonly ProgramLoader _loader;
    private readonly RegionOwners _owners;
    private readonly PartRequests _parts;
    private readonly RegionMoves _moves;
    private readonly MoveRequests _moveRequests;
    /// <summary>Records of a reply; filled and sent without a wait in between.</summary>
    private readonly byte* _records;
    private ulong _violations;

    internal SpaceService(FrameAllocator frames, AddressSpaces spaces, FileCache files, ProgramLoader loader, RegionOwners owners,
        RegionMoves moves, MoveRequests moveRequests)
    {
        _spaces = spaces;
        _files = files;
        _loader = loader;
        _owners = owners;
        _parts = new PartRequests(spaces, owners);
        _moves = moves;
        _moveRequests = moveRequests;
        _records = (byte*)frames.AllocateContiguous(AddressLayout.PageUp(SpaceRecords.MaxBytes) / PageOperations.PageSize);
        if (_records == null)
        {
            Panic.Because("SpaceService: no memory at boot");
        }
    }

    private Span<byte> Records => new(_records, SpaceRecords.MaxBytes);

    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (request.Opcode is Opcode.Execute or Opcode.CopyPages)
        {
            return RpcDisposition.Deferred;
        }

        if (request.Opcode >= Opcode.Owners)
        {
            return _moveRequests.TryHandle(ref request);
        }

        if (request.Opcode == Opcode.Map && MapsForeign(in request))
        {
            return RpcDisposition.Deferred;
        }

        if (request.Opcode == Opcode.Grant)
        {
            _parts.Grant(ref request);
            return RpcDisposition.Done;
        }

        AddressSpace* space = _spaces.Find(request.VNode, request.Asid);
        if (space != null && space->IsPart)
        {
            _parts.Serve(ref request, space);
            return RpcDisposition.Done;
        }

        // Owners may have to be told, which takes messages.
        if (space != null && space->HasParts && request.Opcode != Opcode.Protect)
        {
            return RpcDisposition.Deferred;
        }

        SpaceChange change = default;
        return Try(ref request, space, ref change) ? RpcDisposition.Done : RpcDisposition.Deferred;
    }

    /// <inheritdoc/>
    public override void Handle(ref RpcRequest request)
    {
        switch (request.Opcode)
        {
            case Opcode.Execute:
                Execute(ref request);
                return;
            case Opcode.CopyPages:
                _parts.CopyPages(ref request);
                return;
            case Opcode.Owners or Opcode.Move:
                _moveRequests.Handle(ref request);
                return;
            case Opcode.Map when AdmitMapped(in request) is Errno refused && refused != Errno.None:
                request.Reply(refused);
                return;
            default:
                Change(ref request);
                return;
        }
    }

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) => opcode == Opcode.Owners;

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.space_violations"u8, _violations);
        _parts.Report(ref writer);
        _moveRequests.Report(ref writer);
    }

    /// <summary>A file is to be mapped that another vNode has used last: the storage component has to be asked.</summary>
    private bool MapsForeign(in RpcRequest request)
    {
        CachedFile* file = request.TryReadHead(out MapRequest map, out _) ? _files.Find(map.Storage, map.File) : null;
        return file != null && !FileCache.IsOf(file, request.VNode);
    }

    [Blocks]
    private Errno AdmitMapped(in RpcRequest request)
    {
        CachedFile* file = request.TryReadHead(out MapRequest map, out _) ? _files.Find(map.Storage, map.File) : null;
        if (file == null)
        {
            return Errno.None;
        }

        FileCache.Hold(file);
        Errno error = _files.Admit(file, request.VNode);
        _files.Release(file);
        return error;
    }

    /// <summary>What a request has come to, and what owners have to do before it can go on.</summary>
    private struct SpaceChange
    {
        /// <summary>What the program is told (mmap, mremap, brk).</summary>
        internal ulong Address;
        /// <summary>Fork: the new space.</summary>
        internal SpaceName Child;
        /// <summary>EINPROGRESS: regions that need an owner; empty when pages must be copied.</summary>
        internal RegionDemand Demand;
        /// <summary>mremap: what owners have to copy, or have copied.</summary>
        internal PageMove Copied;
    }

    /// <summary>A request of a space that has parts, or needs an owner for new regions.</summary>
    [Blocks]
    private void Change(ref RpcRequest request)
    {
        AddressSpace* space = _spaces.Find(request.VNode, request.Asid);
        SpaceName name = SpaceName.Of(space);
        _moves.BeginChange(in name);
        Change(ref request, in name);
        _moves.EndChange(in name);
    }

    [Blocks]
    private void Change(scoped ref RpcRequest request, in SpaceName name)
    {
        SpaceChange change = default;
        Span<ushort> owners = stackalloc ushort[MostOwners];
        while (true)
        {
            AddressSpace* space = name.Number == 0 ? null : _spaces.Find(in name);
            Leaving leaving = space == null || !space->HasParts ? default : LeavingOf(in request, space);
            int count = leaving.End == 0 ? 0 : _spaces.CollectOwners(space, leaving.Start, leaving.End, leaving.OnlyMapped, owners);
            ReadOnlySpan<ushort> told = owners.Slice(0, count);
            Errno error = Perform(ref request, space, ref change);
            if (error == Errno.EINPROGRESS)
            {
                if (change.Demand.End != 0)
                {
                    error = _owners.Activate(in name, in change.Demand);
                }
                else
                {
                    // What was at the target has been unmapped.
                    _owners.Discard(in name, leaving.Start, leaving.End, told);
                    error = _owners.Copy(in name, change.Copied);
                    DropCopies(in name, change.Copied, error);
                }

                if (error == Errno.None)
                {
                    continue;
                }
            }
            else if (error == Errno.None)
            {
                error = Tell(ref request, in name, in change, in leaving, told);
            }

            Finish(ref request, in name, in change, error);
            return;
        }
    }

    /// <summary>Copies that nobody will know of must not be found where something else is mapped later.</summary>
    [Blocks]
    private void DropCopies(in SpaceName name, PageMove copied, Errno error)
    {
        AddressSpace* space = error == Errno.None ? null : _spaces.Find(in name);
        if (space != null)
        {
            Span<ushort> owners = stackalloc ushort[MostOwners];
            int count = _spaces.CollectOwners(space, copied.To, copied.To + copied.Length, mapped: false, owners);
            _owners.Discard(in name, copied.To, copied.To + copied.Length, owners.Slice(0, count));
        }
    }

    /// <summary>The other owners follow what the home has done.</summary>
    [Blocks]
    private Errno Tell(scoped ref RpcRequest request, in SpaceName name, in SpaceChange change, in Leaving leaving,
        scoped ReadOnlySpan<ushort> owners)
    {
        switch (request.Opcode)
        {
            case Opcode.Exit:
                _owners.End(in name, owners);
                return Errno.None;
            case Opcode.Fork:
                Errno error = _owners.Fork(in name, in change.Child, owners);
                AddressSpace* child = error == Errno.None ? null : _spaces.Find(in change.Child);
                if (child != null)
                {
                    _spaces.Destroy(child);
                }

                return error;
            case Opcode.Remap:
                TellRemapped(ref request, in name, change.Address);
                return Errno.None;
            default:
                _owners.Discard(in name, leaving.Start, leaving.End, owners);
                return Errno.None;
        }
    }

    /// <summary>The pages that mremap has moved, or cut off, are not where they were any more.</summary>
    [Blocks]
    private void TellRemapped(ref RpcRequest request, in SpaceName name, ulong address)
    {
        AddressSpace* space = _spaces.Find(in name);
        if (space == null || !space->HasParts || !request.TryReadHead(out RemapRequest remap, out _))
        {
            return;
        }

        ulong kept = address == remap.OldAddress ? AddressLayout.PageUp(remap.NewLength) : 0;
        ulong end = remap.OldAddress + AddressLayout.PageUp(remap.OldLength);
        ulong start = remap.OldAddress + kept;
        if (start < end)
        {
            Span<ushort> owners = stackalloc ushort[MostOwners];
            int count = _spaces.CollectOwners(space, start, end, mapped: false, owners);
            _owners.Discard(in name, start, end, owners.Slice(0, count));
        }
    }

    private void Finish(ref RpcRequest request, in SpaceName name, in SpaceChange change, Errno error)
    {
        AddressSpace* space = error == Errno.None && request.Opcode == Opcode.Fork
            ? _spaces.Find(in change.Child)
            : name.Number == 0 ? null : _spaces.Find(in name);
        if (request.Opcode == Opcode.Exit || space == null)
        {
            request.Reply(space == null && request.Opcode != Opcode.Exit ? Errno.ESRCH : error);
            return;
        }

        // brk(2) does not fail: it says where the break still is.
        bool isBreak = request.Opcode == Opcode.Break && error != Errno.None;
        ReplySpace(ref request, isBreak ? Errno.None : error, space, isBreak ? space->Break : change.Address);
    }

    /// <summary>The vRegions whose owners a request concerns; empty: none. Their pages in the range go, but for Fork.</summary>
    private struct Leaving
    {
        internal ulong Start;
        internal ulong End;
        /// <summary>An owner has nothing to do when nothing is mapped there.</summary>
        internal bool OnlyMapped;
    }

    private static Leaving LeavingOf(in RpcRequest request, AddressSpace* space)
    {
        switch (request.Opcode)
        {
            case Opcode.Fork or Opcode.Exit:
                return new Leaving { End = ulong.MaxValue };
            case Opcode.Unmap or Opcode.Discard when request.TryReadHead(out RangeRequest range, out _):
                return RangeOf(range.Address, range.Length);
            case Opcode.Map when request.TryReadHead(out MapRequest map, out _) && ((MapFlags)map.Flags & MapFlags.Fixed) != 0:
                return RangeOf(map.Address, map.Length);
            case Opcode.Remap when request.TryReadHead(out RemapRequest remap, out _) && ((RemapFlags)remap.Flags & RemapFlags.Fixed) != 0:
                return RangeOf(remap.NewAddress, remap.NewLength);
            case Opcode.Break when request.TryReadHead(out RangeRequest wanted, out _)
                && wanted.Address >= space->BreakStart && AddressLayout.PageUp(wanted.Address) < space->BreakEnd:
                return new Leaving { Start = AddressLayout.PageUp(wanted.Address), End = space->BreakEnd, OnlyMapped = true };
            default:
                return default;
        }

        static Leaving RangeOf(ulong start, ulong length) =>
            start > AddressLayout.TaskSize || length > AddressLayout.TaskSize - start
                ? default
                : new Leaving { Start = AddressLayout.PageDown(start), End = AddressLayout.PageUp(start + length), OnlyMapped = true };
    }

    /// <summary>Serves the request inline; false when owners must be asked or told first.</summary>
    private bool Try(ref RpcRequest request, AddressSpace* space, ref SpaceChange change)
    {
        SpaceName name = SpaceName.Of(space);
        Errno error = Perform(ref request, space, ref change);
        if (error == Errno.EINPROGRESS)
        {
            return false;
        }

        Finish(ref request, in name, in change, error);
        return true;
    }

    /// <summary>Carries a request out at the home. EINPROGRESS: only after what <paramref name="change"/> says.</summary>
    private Errno Perform(ref RpcRequest request, AddressSpace* space, ref SpaceChange change)
    {
        change.Demand = default;
        if (space == null)
        {
            _violations++;
            return Errno.ESRCH;
        }

        switch (request.Opcode)
        {
            case Opcode.Fork when request.TryReadHead(out ForkRequest fork, out _):
                Errno error = _spaces.Fork(space, fork.ChildAsid, out AddressSpace* child);
                if (error == Errno.None)
                {
                    child->Processor = request.Source;
                    change.Child = SpaceName.Of(child);
                }

                return error;
            case Opcode.Exit:
                _spaces.Destroy(space);
                return Errno.None;
            case Opcode.Map when request.TryReadHead(out MapRequest map, out ReadOnlySpan<byte> rest) && rest.Length >= map.PathLength:
                return Map(request.VNode, space, map, rest.Slice(0, map.PathLength), out change.Address, out change.Demand);
            case Opcode.Unmap when request.TryReadHead(out RangeRequest unmap, out _):
                return _spaces.Unmap(space, unmap.Address, unmap.Length);
            case Opcode.Discard when request.TryReadHead(out RangeRequest discard, out _):
                return _spaces.Discard(space, discard.Address, discard.Length);
            case Opcode.Protect when request.TryReadHead(out RangeRequest protect, out _):
                return _spaces.Protect(space, protect.Address, protect.Length, protect.Protection);
            case Opcode.Remap when request.TryReadHead(out RemapRequest remap, out _):
                return _spaces.Remap(space, remap, ref change.Copied, out change.Address, out change.Demand);
            case Opcode.Break when request.TryReadHead(out RangeRequest wanted, out _):
                return _spaces.MoveBreak(space, wanted.Address, out change.Address, out change.Demand);
            default:
                return request.Opcode is >= Opcode.Fork and <= Opcode.Discard ? Errno.EPROTO : Errno.EOPNOTSUPP;
        }
    }

    private Errno Map(ushort vnode, AddressSpace* space, in MapRequest request, ReadOnlySpan<byte> path, out ulong address,
        out RegionDemand demand)
    {
        address = 0;
        demand = default;
        MapWish wish = default;
        wish.Address = request.Address;
        wish.Length = request.Length;
        wish.Protection = request.Protection;
        wish.Flags = (MapFlags)request.Flags;
        wish.Kind = VmaKind.Anonymous;
        wish.Allowed = request.Allowed;
        if ((wish.Flags & MapFlags.Anonymous) != 0 && request.File.Inode == 0)
        {
            return _spaces.Map(space, wish, out address, out demand);
        }

        if (request.File.Inode == 0)
        {
            return Errno.EINVAL;
        }

        Errno error = _files.FindOrAdd(vnode, request.Storage, request.File, path, out CachedFile* file);
        if (error != Errno.None)
        {
            return error;
        }

        FileCache.Hold(file);
        if (file->IsObject && (wish.Flags & MapFlags.Anonymous) != 0)
        {
            // MAP_SHARED | MAP_ANONYMOUS: an object as long as its mapping.
            file->Size = Math.Max(file->Size, request.FileOffset + AddressLayout.PageUp(request.Length));
        }

        wish.File = file;
        wish.FileOffset = request.FileOffset;
        wish.Backing = request.Backing;
        error = _spaces.Map(space, wish, out address, out demand);
        _files.Release(file);
        return error;
    }

    private void ReplySpace(ref RpcRequest request, Errno error, AddressSpace* space, ulong address)
    {
        SpaceReply reply = default;
        reply.Address = error == Errno.None ? address : 0;
        int bytes = SpaceRecords.Write(space, Records, out reply.VmaCount, out reply.RegionCount);
        request.Reply(error, reply, Records.Slice(0, bytes));
    }

    private void Execute(ref RpcRequest request)
    {
        if (!request.TryReadHead(out ExecuteRequest execute, out ReadOnlySpan<byte> paths))
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        Errno error = _loader.Execute(request.VNode, request.Asid, execute, paths, out AddressSpace* space, out ExecuteReply reply);
        if (error == Errno.ELIBACC)
        {
            ReplyInterpreter(ref request, in execute, paths.Slice(0, execute.FilePathLength));
            return;
        }

        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        if (!request.IsWanted)
        {
            // Its processor component has ended while the program was being loaded, and all its other spaces with it.
            _spaces.Destroy(space);
            request.Reply(Errno.ESRCH);
            return;
        }

        space->Processor = request.Source;
        int bytes = SpaceRecords.Write(space, Records, out reply.VmaCount, out reply.RegionCount);
        request.Reply(Errno.None, reply, Records.Slice(0, bytes));
    }

    /// <summary>The processor component is to look the dynamic linker up.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReplyInterpreter(ref RpcRequest request, in ExecuteRequest execute, ReadOnlySpan<byte> path)
    {
        Span<byte> name = stackalloc byte[(int)ElfReader.MaxInterpreterBytes];
        Errno error = _loader.ReadInterpreter(request.VNode, in execute, path, name, out int length);
        request.Reply(error == Errno.None ? Errno.ELIBACC : error, name.Slice(0, length));
    }
}
