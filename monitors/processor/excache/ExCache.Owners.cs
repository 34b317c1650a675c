// vRegions move between memory components while programs run (memory/services/RegionMoves.cs). Whoever is refused by the owner that it
// knows, or finds it gone, asks the home who the owners are, and sends its request again by that. The home answers when no page of the
// space is on its way, with a version that grows with each move; so who has been refused twice under one version has been refused by the
// owner, and the page is lost, as a failed component's are.
// Nothing here runs while no request is refused. All BLOCK.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    private ulong _ownersAsked;
    private ulong _sentElsewhere;

    /// <summary>What homes have told while a request is sent again and again.</summary>
    private struct OwnerSearch
    {
        /// <summary>Of all spaces that the request is about: it can only grow. 0: nothing that counts has been told yet.</summary>
        internal ulong Versions;
        /// <summary>The same of the round before.</summary>
        internal ulong Before;
        internal bool IsSure;

        /// <summary>Another round of questions begins.</summary>
        internal void Begin()
        {
            Before = IsSure ? Versions : 0;
            Versions = 1;
            IsSure = true;
        }

        /// <summary>A request that has been refused since the round before may find another owner now.</summary>
        internal readonly bool HasHope => !IsSure || Versions != Before;
    }

    /// <summary>
    /// A fetch has ended with an error, and its line is Filling. If the page may be another component's, it is fetched there; on an error
    /// the line is given back. Objects' pages are at the home, which does not move.
    /// </summary>
    [Blocks]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno FetchElsewhere(AddressSpace* space, int index, ulong before, in RpcContext context, in MissRequest miss, Errno error,
        out int received)
    {
        received = 0;
        OwnerSearch search = default;
        space->InFlight++;
        space->Fills++;
        while (before == PageState.Remote && MayBeElsewhere(error, space, miss.Address) && AskOwners(space, ref search))
        {
            _sentElsewhere++;
            error = _rpc.Call(
                space->OwnerOf(miss.Address), Opcode.Miss, in context, in miss, default, PageSpan(_lines[index].Frame), out received);
        }

        EndFill(space);
        if (error != Errno.None)
        {
            GiveBack(index);
        }

        return error;
    }

    /// <summary>
    /// The write-back of a line, which is WritingBack, has ended with an error. If its page may be another component's, it is sent there:
    /// to all owners, some of whom may have it already.
    /// </summary>
    [Blocks]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno SendElsewhere(int index, Errno error)
    {
        ref Line line = ref _lines[index];
        OwnerSearch search = default;
        while (!line.IsNamed && MayBeElsewhere(error, ref line) && AskOwners(ref line, ref search))
        {
            _sentElsewhere++;
            error = SendBack(index);
        }

        // What several spaces share has gone to all owners that have a place for it.
        return line.More != null && !line.IsNamed && IsDisowned(error) ? Errno.None : error;
    }

    /// <summary>
    /// ESRCH is said by who had all that it owned of a space taken away, EHOSTDOWN stands for who has failed since. The owner that is known
    /// by now need not be the one that was asked.
    /// </summary>
    private static bool MayBeElsewhere(Errno error, AddressSpace* space, ulong address) => error == Errno.EREMOTE
        || (error is Errno.ESRCH or Errno.EHOSTDOWN && (space->OwnersVersion != 0 || space->OwnerOf(address) != space->Home));

    private static bool MayBeElsewhere(Errno error, ref Line line)
    {
        bool may = MayBeElsewhere(error, line.Space, line.Address);
        for (LineMapping* other = line.More; other != null && !may; other = other->Next)
        {
            may = MayBeElsewhere(error, other->Space, other->Address);
        }

        return may;
    }

    /// <summary>Asks for the owners of one space; false: it is no use to send the request again.</summary>
    [Blocks]
    private bool AskOwners(AddressSpace* space, ref OwnerSearch search)
    {
        search.Begin();
        return LearnOwners(space, ref search) && search.HasHope;
    }

    /// <summary>Asks for the owners of all spaces that map a line. Who has ended, or is not there yet, is no reason to ask again.</summary>
    [Blocks]
    private bool AskOwners(ref Line line, ref OwnerSearch search)
    {
        search.Begin();
        bool hasTold = LearnOwners(line.Space, ref search);
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            hasTold |= LearnOwners(other->Space, ref search);
        }

        return hasTold && search.HasHope;
    }

    /// <summary>The home says who the owners of a space's vRegions are; false: it does not.</summary>
    [Blocks]
    private bool LearnOwners(AddressSpace* space, ref OwnerSearch search)
    {
        _ownersAsked++;
        uint replies = space->HomeReplies;
        Span<RegionRecord> records = stackalloc RegionRecord[RegionRecord.Most];
        RpcContext context = new() { VNode = space->VNode, Asid = space->Asid, Class = RpcClass.DemandFetch };
        Span<byte> reply = MemoryMarshal.AsBytes(records);
        Errno error = _rpc.Call(space->Home, Opcode.Owners, in context, default, default, reply, out int received);
        records = records.Slice(0, received / sizeof(RegionRecord));
        if (error != Errno.None || records.IsEmpty)
        {
            return false;
        }

        // A reply of the home that has come meanwhile may be newer: then this one says nothing.
        search.IsSure &= space->TakeOwners(_kernelFrames, records, replies) == Errno.None;
        search.Versions += records[0].Version;
        return true;
    }
}
