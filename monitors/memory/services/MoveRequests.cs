// What belongs to moves of vRegions (RegionMoves.cs): part of group 2. A processor component asks a home who the owners are, a home has an
// owner take a phase, an owner sends pages to another one, the manager says what is drained. Only Send, which needs other messages,
// and a question for owners while a piece is on its way need a worker.

using System;
using System.Numerics;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Serves Owners, Move, PutPages and Drain.</summary>
internal sealed unsafe class MoveRequests(AddressSpaces spaces, PageSender pages, RegionMoves moves, ushort manager)
{
    private ulong _violations;

    /// <summary>Serves a request inline; Deferred: <see cref="Handle"/> has to.</summary>
    internal RpcDisposition TryHandle(ref RpcRequest request)
    {
        switch (request.Opcode)
        {
            case Opcode.Owners:
                AddressSpace* space = spaces.Find(request.VNode, request.Asid);
                if (space != null && space->IsMoving)
                {
                    return RpcDisposition.Deferred;
                }

                ReplyOwners(ref request, space);
                break;
            case Opcode.Move when request.TryReadHead(out MoveRequest move, out _) && move.Phase == MovePhase.Send:
                return RpcDisposition.Deferred;
            case Opcode.Move:
                Move(ref request);
                break;
            case Opcode.PutPages:
                PutPages(ref request);
                break;
            case Opcode.Drain when request.Source == manager:
                Drain(ref request);
                break;
            default:
                _violations++;
                request.Reply(Errno.EOPNOTSUPP);
                break;
        }

        return RpcDisposition.Done;
    }

    /// <summary>Serves what was deferred.</summary>
    [Blocks]
    internal void Handle(ref RpcRequest request)
    {
        if (request.Opcode == Opcode.Move)
        {
            Send(ref request);
            return;
        }

        moves.AwaitOwners(SpaceName.Of(spaces.Find(request.VNode, request.Asid)));
        ReplyOwners(ref request, spaces.Find(request.VNode, request.Asid));
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer) => writer.Add("memory.move_violations"u8, _violations);

    /// <summary>The owners of a space as they are between two moves. ESRCH: it is no space of this home.</summary>
    private void ReplyOwners(ref RpcRequest request, AddressSpace* space)
    {
        if (space == null || space->IsPart)
        {
            _violations++;
            request.Reply(Errno.ESRCH);
            return;
        }

        Span<RegionRecord> records = stackalloc RegionRecord[RegionRecord.Most];
        SpaceRecords.WriteOwners(space, MemoryMarshal.AsBytes(records), out uint count);
        request.Reply(Errno.None, MemoryMarshal.AsBytes(records.Slice(0, (int)count)));
    }

    /// <summary>The manager's wish about a component, and what has become of it.</summary>
    private void Drain(ref RpcRequest request)
    {
        if (!request.TryReadHead(out DrainRequest drain, out _))
        {
            _violations++;
            request.Reply(Errno.EPROTO);
            return;
        }

        request.Reply(Errno.None, moves.Drain(in drain));
    }

    /// <summary>A phase of a move that needs no other component: all but Send. ESRCH, ESTALE, EEXIST, ENOMEM, EREMOTE.</summary>
    private void Move(ref RpcRequest request)
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
    private void Send(ref RpcRequest request)
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
            error = pages.SendFrozen(SpaceName.Of(part), move.Start, sent.End, move.Peer, move.Step, out sent.Pages);
        }

        request.Reply(error, in sent);
    }

    /// <summary>Pages of a piece that this component expects, as an owner or at home. ESRCH, EREMOTE, ENOMEM.</summary>
    private void PutPages(ref RpcRequest request)
    {
        if (!request.TryReadHead(out PutPagesRequest put, out ReadOnlySpan<byte> pages) || put.Pages == 0
            || pages.Length != BitOperations.PopCount(put.Pages) * PageOperations.PageSize)
        {
            _violations++;
            request.Reply(Errno.EPROTO);
            return;
        }

        AddressSpace* space = spaces.Find(request.VNode, request.Asid);
        Errno error = space == null ? Errno.ESRCH : Errno.None;
        fixed (byte* bytes = pages)
        {
            byte* page = bytes;
            for (ulong left = put.Pages; error == Errno.None && left != 0; left &= left - 1)
            {
                ulong address = put.Block + ((ulong)BitOperations.TrailingZeroCount(left) * PageOperations.PageSize);
                error = spaces.PutPage(space, request.Source, address, put.Step, page);
                page += PageOperations.PageSize;
            }
        }

        request.Reply(error);
    }

    private static bool IsSound(in MoveRequest move) =>
        AddressLayout.IsPageAligned(move.Start) && AddressLayout.IsPageAligned(move.Length) && move.Length != 0
        && move.Start < AddressLayout.TaskSize && move.Length <= AddressLayout.TaskSize - move.Start + PageOperations.PageSize;
}
