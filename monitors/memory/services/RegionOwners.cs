// A home's messages to the other owners of its spaces' vRegions, and the copying of pages from one owner to another. An owner that has
// failed has nothing left to forget; what needs its pages fails. Everything blocks and looks the space up again after each wait: its
// processor component may have ended, and all its spaces with it. EHOSTDOWN and the like of an owner are ENOMEM to the program.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>What owners are told.</summary>
internal sealed unsafe class RegionOwners
{
    private readonly RpcEndpoint _rpc;
    private readonly AddressSpaces _spaces;
    private readonly FrameMap _frames;
    private readonly PageSender _pages;
    private readonly RegionBroker _broker;
    private readonly DrainedOwners _drained;
    private ulong _granted;
    private ulong _keptRuns;

    internal RegionOwners(
        RpcEndpoint rpc, AddressSpaces spaces, FrameMap frames, PageSender pages, RegionBroker broker, DrainedOwners drained)
    {
        _rpc = rpc;
        _spaces = spaces;
        _frames = frames;
        _pages = pages;
        _broker = broker;
        _drained = drained;
    }

    /// <summary>Answers of owners and of the manager that are awaited: somebody may be given vRegions that no space has yet.</summary>
    internal uint GrantsUnderWay { get; private set; }

    /// <summary>
    /// Asks the manager for owners of new vRegions, grants them theirs, and remembers. A component that does not take its own leaves them
    /// to the home. A space with many owners next to each other gets no more of them: its runs become longer. ESRCH: the space has ended;
    /// ENOMEM; what the manager says.
    /// </summary>
    [Blocks]
    internal Errno Activate(in SpaceName name, in RegionDemand demand)
    {
        GrantsUnderWay++;
        Errno error = ConsultAndGrant(in name, in demand);
        GrantsUnderWay--;
        return error;
    }

    [Blocks]
    private Errno ConsultAndGrant(in SpaceName name, in RegionDemand demand)
    {
        Span<OwnerRun> runs = stackalloc OwnerRun[OwnerRun.Most];
        Errno error = _broker.Consult(name.VNode, name.Asid, demand, runs, out int count, out ulong rackBytes);
        if (error != Errno.None)
        {
            return error;
        }

        _spaces.NoteRackBytes(rackBytes);
        ulong start = demand.Start;
        for (int index = 0; error == Errno.None && start < demand.End; index++)
        {
            AddressSpace* space = _spaces.Find(in name);
            if (space == null)
            {
                return Errno.ESRCH;
            }

            ref OwnerRun run = ref runs[Math.Min(index, count - 1)];
            bool hasRoom = AddressSpaces.HasRoomForRuns(space);
            bool isLast = index >= count - 1 || !hasRoom;
            ulong end = isLast ? demand.End : Math.Min(demand.End, start + (run.Count * _spaces.RegionBytes));
            ushort neighbour = hasRoom ? (ushort)0 : RegionTable.NeighbourOf(space, start, end);
            error = Activate(in name, space->Processor, start, end, neighbour != 0 ? neighbour : run.Owner);
            start = end;
        }

        return error;
    }

    /// <summary>The child's parts of a fork, which the home has made for itself. ENOMEM; then no owner has one.</summary>
    [Blocks]
    internal Errno Fork(in SpaceName parent, in SpaceName child, scoped ReadOnlySpan<ushort> owners)
    {
        ForkRequest request = new() { ChildAsid = child.Asid, Number = child.Number };
        for (int index = 0; index < owners.Length; index++)
        {
            if (Call(in parent, owners[index], Opcode.Fork, in request) != Errno.None)
            {
                End(in child, owners.Slice(0, index));
                return Errno.ENOMEM;
            }
        }

        return Errno.None;
    }

    /// <summary>Owners forget a whole space.</summary>
    [Blocks]
    internal void End(in SpaceName name, scoped ReadOnlySpan<ushort> owners)
    {
        foreach (ushort owner in owners)
        {
            _rpc.Call(owner, Opcode.Exit, ContextOf(in name), default, default, default, out _);
        }
    }

    /// <summary>
    /// Owners forget the pages of a range. Those of one that has no memory to do so stay, and nobody asks for them any more: what the
    /// processor component has forgotten is zero, or its file's.
    /// </summary>
    [Blocks]
    internal void Discard(in SpaceName name, ulong start, ulong end, scoped ReadOnlySpan<ushort> owners)
    {
        RangeRequest request = new() { Address = start, Length = end - start };
        foreach (ushort owner in owners)
        {
            Call(in name, owner, Opcode.Discard, in request);
        }
    }

    /// <summary>All owners of the first range copy its pages to the owners of the second. ENOMEM, ESRCH.</summary>
    [Blocks]
    internal Errno Copy(in SpaceName name, PageMove move)
    {
        for (ulong done = 0, length; done < move.Length; done += length)
        {
            AddressSpace* space = _spaces.Find(in name);
            if (space == null)
            {
                return Errno.ESRCH;
            }

            CopyPagesRequest piece = new() { From = move.From + done, To = move.To + done };
            ushort source = RegionTable.OwnerOf(space, piece.From, out ulong sourceEnd);
            piece.Target = RegionTable.OwnerOf(space, piece.To, out ulong targetEnd);
            length = Math.Min(move.Length - done, Math.Min(sourceEnd - piece.From, targetEnd - piece.To));
            piece.Length = length;
            // Ranges lie in active vRegions only.
            Errno error = length == 0 ? Errno.EFAULT : source == _rpc.Node ? CopyOwn(in name, in piece)
                : Call(in name, source, Opcode.CopyPages, in piece);
            if (error != Errno.None)
            {
                return error == Errno.ESRCH ? error : Errno.ENOMEM;
            }
        }

        return Errno.None;
    }

    /// <summary>Copies own pages, at home or of a part, to where the request says. ENOMEM, ESRCH, what the target says.</summary>
    [Blocks]
    internal Errno CopyOwn(in SpaceName name, in CopyPagesRequest piece)
    {
        if (piece.Target != _rpc.Node)
        {
            return _pages.SendCopies(in name, in piece);
        }

        AddressSpace* space = _spaces.Find(in name);
        return space == null ? Errno.ESRCH : _frames.Duplicate(space, piece.From, piece.To, piece.Length);
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.runs_granted"u8, _granted);
        writer.Add("memory.runs_kept"u8, _keptRuns);
    }

    /// <summary>Makes a run of vRegions an owner's.</summary>
    [Blocks]
    private Errno Activate(in SpaceName name, ushort processor, ulong start, ulong end, ushort owner)
    {
        // One that is drained since the manager has named it gets nothing.
        owner = _drained.Contains(owner) ? _rpc.Node : owner;
        if (owner != _rpc.Node)
        {
            GrantRequest grant = new() { Start = start, Length = end - start, Number = name.Number, Processor = processor };
            if (Call(in name, owner, Opcode.Grant, in grant) == Errno.None)
            {
                _granted++;
            }
            else
            {
                _keptRuns++;
                owner = _rpc.Node;
            }
        }

        AddressSpace* space = _spaces.Find(in name);
        if (space == null)
        {
            // Whoever was granted something may have heard of the processor's end before. A new space of the name has been granted its own.
            if (owner != _rpc.Node && _spaces.Find(name.VNode, name.Asid) == null)
            {
                End(in name, [owner]);
            }

            return Errno.ESRCH;
        }

        Errno error = _spaces.ActivateRegions(space, new RegionDemand { Start = start, End = end }, owner);
        if (error != Errno.None && owner != _rpc.Node && !RegionTable.HasRunOf(space, owner))
        {
            // Nobody would tell it of the space's end.
            End(in name, [owner]);
        }

        return error;
    }

    private Errno Call<T>(in SpaceName name, ushort owner, Opcode opcode, in T request) where T : unmanaged =>
        _rpc.Call(owner, opcode, ContextOf(in name), in request, default, default, out _);

    private static RpcContext ContextOf(in SpaceName name) => new() { VNode = name.VNode, Asid = name.Asid };
}
