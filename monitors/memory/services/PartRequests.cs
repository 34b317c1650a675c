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

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer) => writer.Add("memory.part_violations"u8, _violations);
}
