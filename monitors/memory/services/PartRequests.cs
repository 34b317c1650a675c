// What homes ask of this component about its parts of their spaces: part of group 2. Everything but the copying of pages is done inline,
// so that no home's worker waits for one of another component's.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Serves Grant, CopyPages, and of parts Fork, Discard and Exit.</summary>
internal sealed unsafe class PartRequests(AddressSpaces spaces, RegionOwners owners)
{
    private ulong _violations;

    /// <summary>A home gives this component vRegions of a space.</summary>
    internal void Grant(ref RpcRequest request) => request.Reply(request.TryReadHead(out GrantRequest grant, out _)
        ? spaces.Grant(request.VNode, request.Asid, request.Source, in grant)
        : Errno.EPROTO);

    /// <summary>A request about a part; from anybody but the space's home it is EREMOTE.</summary>
    internal void Serve(ref RpcRequest request, AddressSpace* part)
    {
        if (request.Source != part->Home)
        {
            _violations++;
            request.Reply(Errno.EREMOTE);
            return;
        }

        Errno error = Errno.EPROTO;
        switch (request.Opcode)
        {
            case Opcode.Fork:
                if (request.TryReadHead(out ForkRequest fork, out _))
                {
                    error = spaces.ForkPart(part, in fork);
                }

                break;
            case Opcode.Discard:
                if (request.TryReadHead(out RangeRequest range, out _))
                {
                    error = spaces.Discard(part, range.Address, range.Length);
                    part->HasLeftovers |= error != Errno.None;
                }

                break;
            case Opcode.Exit:
                spaces.Destroy(part);
                error = Errno.None;
                break;
            default:
                error = Errno.EOPNOTSUPP;
                break;
        }

        request.Reply(error);
    }

    /// <summary>
    /// A home has pages of a part copied. ESRCH: it is not the sender's. EREMOTE: the pages were never granted, or to a former life of this
    /// component, which has lost them.
    /// </summary>
    [Blocks]
    internal void CopyPages(ref RpcRequest request)
    {
        AddressSpace* part = spaces.Find(request.VNode, request.Asid);
        Errno error = Errno.ESRCH;
        if (part == null || part->Home != request.Source)
        {
            _violations++;
        }
        else if (!request.TryReadHead(out CopyPagesRequest piece, out _))
        {
            error = Errno.EPROTO;
        }
        else
        {
            error = AddressSpaces.IsGranted(part, piece.From, piece.Length) ? owners.CopyOwn(SpaceName.Of(part), in piece) : Errno.EREMOTE;
        }

        request.Reply(error);
    }

    /// <summary>A phase of a move that needs no other component: all but Send. ESRCH, ESTALE, EEXIST, ENOMEM, EREMOTE.</summary>
    internal void Move(ref RpcRequest request)
    {
        if (!request.TryReadHead(out MoveRequest move, out _) || !IsSound(in move))
        {
            _violations++;
            request.Reply(Errno.EPROTO);
            return;
        }

        Errno error = spaces.FindMoving(request.VNode, request.Asid, request.Source, in move, out AddressSpace* part);
        if (error == Errno.None)
        {
            switch (move.Phase)
            {
                case MovePhase.Expect:
                    error = spaces.Expect(part, move.Start, move.Length, move.Peer);
                    break;
                case MovePhase.Own:
                    error = spaces.Own(part, move.Start, move.Length);
                    break;
                case MovePhase.Forget:
                    spaces.Forget(part, move.Start, move.Length);
                    break;
                default:
                    error = Errno.EOPNOTSUPP;
                    break;
            }
        }

        request.Reply(error, new MoveReply { End = move.Start + move.Length });
    }

    /// <summary>
    /// The phase Send: the pages of a piece go to another component. An error leaves the piece frozen: the home says what becomes of it.
    /// </summary>
    [Blocks]
    internal void Send(ref RpcRequest request)
    {
        MoveReply sent = default;
        if (!request.TryReadHead(out MoveRequest move, out _) || !IsSound(in move))
        {
            _violations++;
            request.Reply(Errno.EPROTO);
            return;
        }

        Errno error = spaces.FindMoving(request.VNode, request.Asid, request.Source, in move, out AddressSpace* part);
        error = error == Errno.None ? spaces.Freeze(part, move.Start, move.Length, out sent.End) : error;
        if (error == Errno.None)
        {
            error = owners.SendFrozen(SpaceName.Of(part), move.Start, sent.End, move.Peer, move.Step, out sent.Pages);
        }

        request.Reply(error, in sent);
    }

    /// <summary>A page of a piece that this component expects, as an owner or at home. ESRCH, EREMOTE, ENOMEM.</summary>
    internal void PutPage(ref RpcRequest request)
    {
        Errno error = Errno.EPROTO;
        if (request.TryReadHead(out PutPageRequest put, out ReadOnlySpan<byte> page) && page.Length == PageOperations.PageSize)
        {
            AddressSpace* space = spaces.Find(request.VNode, request.Asid);
            fixed (byte* bytes = page)
            {
                error = space == null ? Errno.ESRCH : spaces.PutPage(space, request.Source, in put, bytes);
            }
        }

        request.Reply(error);
    }

    private static bool IsSound(in MoveRequest move) =>
        AddressLayout.IsPageAligned(move.Start) && AddressLayout.IsPageAligned(move.Length) && move.Length != 0
        && move.Start < AddressLayout.TaskSize && move.Length <= AddressLayout.TaskSize - move.Start + PageOperations.PageSize;

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer) => writer.Add("memory.part_violations"u8, _violations);
}
