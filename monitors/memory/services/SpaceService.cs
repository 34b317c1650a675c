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

/// <summary>Serves Execute, Fork, Exit, Map, Unmap, Discard, Protect, Remap and Break.</summary>
internal sealed unsafe class SpaceService : RpcService
{
    private readonly AddressSpaces _spaces;
    private readonly FileCache _files;
    private readonly ProgramLoader _loader;
    private readonly RegionBroker _broker;
    /// <summary>Records of a reply; filled and sent without a wait in between.</summary>
    private readonly byte* _records;
    private ulong _violations;

    internal SpaceService(FrameAllocator frames, AddressSpaces spaces, FileCache files, ProgramLoader loader, RegionBroker broker)
    {
        _spaces = spaces;
        _files = files;
        _loader = loader;
        _broker = broker;
        _records = (byte*)frames.AllocateContiguous(AddressLayout.PageUp(SpaceRecords.MaxBytes) / PageOperations.PageSize);
        if (_records == null)
        {
            Panic.Because("SpaceService: no memory at boot");
        }
    }

    private Span<byte> Records => new(_records, SpaceRecords.MaxBytes);

    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request) =>
        request.Opcode != Opcode.Execute && Serve(ref request, out _) != Errno.EINPROGRESS ? RpcDisposition.Done : RpcDisposition.Deferred;

    /// <inheritdoc/>
    public override void Handle(ref RpcRequest request)
    {
        if (request.Opcode == Opcode.Execute)
        {
            Execute(ref request);
            return;
        }

        while (Serve(ref request, out RegionDemand demand) == Errno.EINPROGRESS)
        {
            Errno error = _broker.Consult(request.VNode, request.Asid, demand, out ushort owner);
            AddressSpace* space = _spaces.Find(request.VNode, request.Asid);
            if (error == Errno.None)
            {
                error = space == null ? Errno.ESRCH : _spaces.ActivateRegions(space, demand, owner);
            }

            if (error != Errno.None)
            {
                // brk(2) does not fail: it says where the break still is.
                if (request.Opcode == Opcode.Break && space != null)
                {
                    ReplySpace(ref request, Errno.None, space, space->Break);
                }
                else
                {
                    request.Reply(error);
                }

                return;
            }
        }
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer) => writer.Add("memory.space_violations"u8, _violations);

    /// <summary>Serves the request, or returns EINPROGRESS with the regions that must be activated first.</summary>
    private Errno Serve(ref RpcRequest request, out RegionDemand demand)
    {
        demand = default;
        AddressSpace* space = _spaces.Find(request.VNode, request.Asid);
        if (space == null)
        {
            _violations++;
            request.Reply(Errno.ESRCH);
            return Errno.ESRCH;
        }

        Errno error = Errno.EPROTO;
        ulong address = 0;
        switch (request.Opcode)
        {
            case Opcode.Fork:
                if (request.TryReadHead(out ForkRequest fork, out _))
                {
                    error = _spaces.Fork(space, fork.ChildAsid, out AddressSpace* child);
                    if (error == Errno.None)
                    {
                        child->Processor = request.Source;
                        space = child;
                    }
                }

                break;
            case Opcode.Exit:
                _spaces.Destroy(space);
                request.Reply(Errno.None);
                return Errno.None;
            case Opcode.Map:
                if (request.TryReadHead(out MapRequest map, out ReadOnlySpan<byte> rest) && rest.Length >= map.PathLength)
                {
                    error = Map(request.VNode, space, map, rest.Slice(0, map.PathLength), out address, out demand);
                }

                break;
            case Opcode.Unmap:
                if (request.TryReadHead(out RangeRequest unmap, out _))
                {
                    error = _spaces.Unmap(space, unmap.Address, unmap.Length);
                }

                break;
            case Opcode.Discard:
                if (request.TryReadHead(out RangeRequest discard, out _))
                {
                    error = _spaces.Discard(space, discard.Address, discard.Length);
                }

                break;
            case Opcode.Protect:
                if (request.TryReadHead(out RangeRequest protect, out _))
                {
                    error = _spaces.Protect(space, protect.Address, protect.Length, protect.Protection);
                }

                break;
            case Opcode.Remap:
                if (request.TryReadHead(out RemapRequest remap, out _))
                {
                    error = _spaces.Remap(space, remap, out address, out demand);
                }

                break;
            case Opcode.Break:
                if (request.TryReadHead(out RangeRequest wanted, out _))
                {
                    error = _spaces.MoveBreak(space, wanted.Address, out address, out demand);
                }

                break;
            default:
                error = Errno.EOPNOTSUPP;
                break;
        }

        if (error != Errno.EINPROGRESS)
        {
            ReplySpace(ref request, error, space, address);
        }

        return error;
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
