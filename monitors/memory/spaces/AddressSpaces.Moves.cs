// The moves of vRegions, as far as they change spaces: what an owner does in each phase of a piece's move, and what its home notes. Who
// decides, and what holds in each state: services/RegionMoves.cs. Never blocks.
// A part serves the ranges that have a vma. So a piece that it is only about to get has none yet, and one that is on its way to another
// component has none any more: the vma is kept aside (Frozen), and taking the piece back needs no memory.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    private const ulong PieceBytes = (ulong)PageOperations.PageSize << PageBlock.PagesShift;

    /// <summary>
    /// At an owner: the part that a phase is about, which notes the phase. One that does not exist is made for Expect. ESRCH: there is
    /// none; ESTALE: a later phase has been heard of; EEXIST, ENOMEM.
    /// </summary>
    internal Errno FindMoving(ushort vnode, uint asid, ushort home, in MoveRequest request, out AddressSpace* part)
    {
        part = FindPart(vnode, asid, home, request.Number);
        if (part == null && request.Phase == MovePhase.Expect)
        {
            Errno error = Find(vnode, asid) != null ? Errno.EEXIST
                : MakePart(vnode, asid, home, request.Number, request.Processor, out part);
            if (error != Errno.None)
            {
                return error;
            }
        }

        if (part == null)
        {
            return Errno.ESRCH;
        }

        if (request.Step <= part->Moves)
        {
            return Errno.ESTALE;
        }

        part->Moves = request.Step;
        return Errno.None;
    }

    /// <summary>
    /// The pages of a range are to come from another component, in the phase that was noted last. What is left there from an earlier try
    /// goes. ENOMEM; then nothing is expected.
    /// </summary>
    internal Errno Expect(AddressSpace* space, ulong start, ulong length, ushort from)
    {
        Errno error = space->IsPart ? GiveUp(space, start, start + length) : _frames.Remove(space, start, start + length);
        if (error == Errno.None)
        {
            space->ExpectedStart = start;
            space->ExpectedEnd = start + length;
            space->ExpectedFrom = from;
        }

        return error;
    }

    /// <summary>Nothing is expected any more.</summary>
    internal static void ExpectNothing(AddressSpace* space)
    {
        space->ExpectedStart = 0;
        space->ExpectedEnd = 0;
    }

    /// <summary>
    /// A page comes. EREMOTE: it is not expected, or no longer; ENOMEM. At a home, a page that nobody can ask for is dropped: nothing is
    /// mapped there, or its file has become shorter.
    /// </summary>
    internal Errno PutPage(AddressSpace* space, ushort source, ulong address, uint step, void* bytes)
    {
        if (address < space->ExpectedStart || address >= space->ExpectedEnd || source != space->ExpectedFrom || step != space->Moves
            || !AddressLayout.IsPageAligned(address))
        {
            return Errno.EREMOTE;
        }

        if (!space->IsPart)
        {
            Vma* vma = VmaTree.Find(space, address);
            bool isGone = vma == null || (vma->Traits & VmaTraits.Shared) != 0 || (vma->File != null && vma->File->IsLoaded
                && vma->FileOffset + (address - vma->Start) >= AddressLayout.PageUp(vma->File->Size));
            if (isGone)
            {
                return Errno.None;
            }
        }

        return _frames.Store(space, address, bytes);
    }

    /// <summary>
    /// At an owner: the pages at the beginning of a range of its own are to go. The piece ends with the first block that has any of them,
    /// and is served no more. EREMOTE: it is not this component's; ENOMEM; then it is served as before.
    /// </summary>
    internal Errno Freeze(AddressSpace* part, ulong start, ulong length, out ulong end)
    {
        Thaw(part);
        Vma* vma = VmaTree.Find(part, start);
        end = vma == null ? start : Math.Min(start + length, vma->End);
        if (vma == null)
        {
            return Errno.EREMOTE;
        }

        ulong first = start;
        if (_frames.TryNext(part, ref first, end, out byte* _))
        {
            end = Math.Min(end, (first & ~(PieceBytes - 1)) + PieceBytes);
        }

        Errno error = part->HasLeftovers ? Errno.ENOMEM : Errno.None;
        if (error == Errno.None && vma->Start < start)
        {
            error = SplitAt(part, vma, start);
            vma = VmaTree.Find(part, start);
        }

        if (error == Errno.None && vma->End > end)
        {
            error = SplitAt(part, vma, end);
        }

        if (error != Errno.None)
        {
            JoinNeighbours(part, start, end);
            return error;
        }

        VmaTree.Remove(part, vma);
        part->Frozen = vma;
        return Errno.None;
    }

    /// <summary>
    /// At an owner: a piece is served from now on: what was expected, or what was frozen and stays. EREMOTE: neither, and it was not served
    /// before; ENOMEM.
    /// </summary>
    internal Errno Own(AddressSpace* part, ulong start, ulong length)
    {
        if (start >= part->ExpectedStart && start < part->ExpectedEnd && length <= part->ExpectedEnd - start)
        {
            ExpectNothing(part);
            Errno error = AddRegions(part, new GrantRequest { Start = start, Length = length });
            JoinNeighbours(part, start, start + length);
            return error;
        }

        Thaw(part);
        return VmaTree.Find(part, start) != null ? Errno.None : Errno.EREMOTE;
    }

    /// <summary>At an owner: a range is not this component's any more. A part that has nothing left ends.</summary>
    internal void Forget(AddressSpace* part, ulong start, ulong length)
    {
        ExpectNothing(part);
        if (part->Frozen != null)
        {
            _vmas.Free(part->Frozen);
            part->Frozen = null;
        }

        part->HasLeftovers |= GiveUp(part, start, start + length) != Errno.None;
        if (part->Regions == null)
        {
            Destroy(part);
        }
    }

    /// <summary>At a home: what <see cref="ChangeOwner"/> of a piece will need. ENOMEM.</summary>
    internal Errno ReserveChange(AddressSpace* space) => _regions.Reserve(space);

    /// <summary>At a home: the piece is not moved after all.</summary>
    internal void GiveUpChange() => _regions.Unreserve();

    /// <summary>At a home: a piece is another component's from now on. Does not fail after <see cref="ReserveChange"/>.</summary>
    internal void ChangeOwner(AddressSpace* space, ulong start, ulong end, ushort owner)
    {
        _regions.Unreserve();
        if (_regions.Change(space, start, end, owner) != Errno.None)
        {
            Panic.Because("AddressSpaces.ChangeOwner: what was reserved is gone");
        }
    }

    /// <summary>At a home: forgets the pages of a piece that did not come in whole.</summary>
    internal void DropExpected(AddressSpace* space, ulong start, ulong end)
    {
        ExpectNothing(space);
        // What has come lies in blocks of the space's own, so this needs no memory.
        _frames.Remove(space, start, end);
    }

    /// <summary>
    /// How many runs of vRegions of the homes' spaces here are one of some components', and, when there are more than
    /// <paramref name="skipped"/> of them, one: space, range and owner.
    /// </summary>
    internal uint CountRunsOf(ReadOnlySpan<bool> nodes, uint skipped, out SpaceName name, out RegionRun run)
    {
        uint count = 0;
        name = default;
        run = default;
        for (ulong bucket = 0; bucket < BucketCount; bucket++)
        {
            for (AddressSpace* space = _buckets[bucket]; space != null; space = space->NextInBucket)
            {
                for (RegionRun* other = space->HasParts && !space->IsPart ? space->Regions : null; other != null; other = other->Next)
                {
                    if (nodes[other->Owner] && count++ == skipped)
                    {
                        name = SpaceName.Of(space);
                        run = *other;
                    }
                }
            }
        }

        return count;
    }

    /// <summary>A frozen piece is served again.</summary>
    private void Thaw(AddressSpace* part)
    {
        Vma* frozen = part->Frozen;
        if (frozen != null)
        {
            part->Frozen = null;
            _vmas.Insert(part, frozen);
            JoinNeighbours(part, frozen->Start, frozen->End);
        }
    }

    /// <summary>
    /// Forgets ranges, pages and grant of an address range of a part. ENOMEM; some of it may be left then, and is not served.
    /// </summary>
    private Errno GiveUp(AddressSpace* part, ulong start, ulong end)
    {
        Errno error = Clear(part, start, end);
        Errno removed = _frames.Remove(part, start, end);
        error = error == Errno.None ? removed : error;
        removed = _regions.Change(part, start, end, 0);
        return error == Errno.None ? removed : error;
    }

    /// <summary>A part without vRegions. EEXIST, ENOMEM.</summary>
    private Errno MakePart(ushort vnode, uint asid, ushort home, uint number, ushort processor, out AddressSpace* part)
    {
        Errno error = Create(vnode, asid, out part);
        if (error != Errno.None)
        {
            return error;
        }

        part->Home = home;
        part->HomeNumber = number;
        part->Processor = processor;
        _parts++;
        error = Publish(part);
        if (error != Errno.None)
        {
            Destroy(part);
            part = null;
        }

        return error;
    }
}
