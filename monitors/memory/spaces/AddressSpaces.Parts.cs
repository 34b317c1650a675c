// Spaces over several memory components (LegoOS, OSDI'18, 4.3: home and owner roles). The home has all ranges and says who owns each
// vRegion; an owner that is not the home has a part: the space's own pages in the vRegions that it was granted, and no ranges. What
// ranges allow is checked where they are known, at the processor component and for its own vRegions at the home; an owner answers for
// what it was granted and for nothing else. Pages of files are at the home whoever owns the vRegion. Never blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class AddressSpaces
{
    private ulong _parts;

    /// <summary>The very space that somebody remembers, or null.</summary>
    internal AddressSpace* Find(in SpaceName name)
    {
        AddressSpace* space = Find(name.VNode, name.Asid);
        return space != null && space->Number == name.Number ? space : null;
    }

    /// <summary>
    /// At an owner: the space's home gives it vRegions. What is left of a former space of the same name goes. EEXIST when this component is
    /// the home of a space of that name; ENOMEM. Then no part has been made.
    /// </summary>
    internal Errno Grant(ushort vnode, uint asid, ushort home, in GrantRequest grant)
    {
        AddressSpace* space = FindPart(vnode, asid, home, grant.Number);
        if (space != null)
        {
            return AddRegions(space, in grant);
        }

        Errno error = Find(vnode, asid) != null ? Errno.EEXIST : MakePart(vnode, asid, home, grant.Number, grant.Processor, out space);
        if (error != Errno.None)
        {
            return error;
        }

        error = AddRegions(space, in grant);
        if (error != Errno.None)
        {
            Destroy(space);
        }

        return error;
    }

    /// <summary>At an owner: the child's part of a fork. EEXIST, ENOMEM; then there is none.</summary>
    internal Errno ForkPart(AddressSpace* parent, in ForkRequest fork)
    {
        FindPart(parent->VNode, fork.ChildAsid, parent->Home, fork.Number);
        Errno error = Fork(parent, fork.ChildAsid, out AddressSpace* child);
        if (error == Errno.None)
        {
            child->HomeNumber = fork.Number;
            child->Processor = parent->Processor;
        }

        return error;
    }

    /// <summary>Remembers who owns new vRegions. ENOMEM.</summary>
    internal Errno ActivateRegions(AddressSpace* space, in RegionDemand demand, ushort owner)
    {
        Errno error = _regions.Activate(space, demand.Start, demand.End, owner);
        space->HasParts |= error == Errno.None && owner != _regions.Self;
        return error;
    }

    /// <summary>At a home: this component keeps regions that are to hold what it makes itself, a loaded program. ENOMEM.</summary>
    internal Errno KeepRegions(AddressSpace* space, in RegionDemand demand) => ActivateRegions(space, demand, _regions.Self);

    /// <summary>False when a space has so many owners next to each other that few more can be remembered.</summary>
    internal static bool HasRoomForRuns(AddressSpace* space) => space->RegionCount < RegionTable.MaxRuns / 2;

    /// <summary>
    /// The owners other than this component of vRegions in [start, end), each once; with <paramref name="mapped"/> of those only in which
    /// something is mapped. Their number.
    /// </summary>
    internal int CollectOwners(AddressSpace* space, ulong start, ulong end, bool mapped, Span<ushort> owners)
    {
        int count = 0;
        for (RegionRun* run = space->Regions; run != null && run->Start < end && count < owners.Length; run = run->Next)
        {
            ulong from = Math.Max(run->Start, start);
            ulong to = Math.Min(run->End, end);
            if (from < to && run->Owner != _regions.Self && !Contains(owners.Slice(0, count), run->Owner)
                && (!mapped || VmaTree.FindOverlap(space, from, to) != null))
            {
                owners[count++] = run->Owner;
            }
        }

        return count;
    }

    /// <summary>True when a page of the space's own at the address is this component's.</summary>
    internal bool Owns(AddressSpace* space, ulong address) =>
        !space->HasParts || RegionTable.OwnerOf(space, address, out _) == _regions.Self;

    /// <summary>True when a vRegion that the component owns holds the address, whatever is mapped there.</summary>
    internal bool IsGranted(AddressSpace* space, ulong address) => RegionTable.OwnerOf(space, address, out _) == _regions.Self;

    /// <summary>True of a part whose home has given it all of a range.</summary>
    internal static bool IsGranted(AddressSpace* part, ulong start, ulong length) =>
        RegionTable.OwnerOf(part, start, out ulong end) != 0 && length <= end - start;

    /// <summary>Why there is no mapping here: EREMOTE when it was never granted, else EFAULT.</summary>
    internal static Errno ExplainMissing(AddressSpace* space) => space->IsPart ? Errno.EREMOTE : Errno.EFAULT;

    /// <summary>The manager has said how much memory the rack has.</summary>
    internal void NoteRackBytes(ulong bytes) => _rackBytes = Math.Max(bytes, _pool.TotalFrames * PageOperations.PageSize);

    /// <summary>More vRegions of a part, with a range that allows everything. EEXIST, ENOMEM.</summary>
    private Errno AddRegions(AddressSpace* part, in GrantRequest grant)
    {
        ulong end = grant.Start + grant.Length;
        if (VmaTree.FindOverlap(part, grant.Start, end) != null)
        {
            return Errno.EEXIST;
        }

        MapWish everything = default;
        everything.Kind = VmaKind.Anonymous;
        everything.Protection = AllProtection;
        everything.Flags = MapFlags.Private | MapFlags.Anonymous;
        Errno error = _regions.Activate(part, grant.Start, end, _regions.Self);
        return error == Errno.None ? AddVma(part, everything, grant.Start, end) : error;
    }

    private static bool Contains(ReadOnlySpan<ushort> nodes, ushort node)
    {
        foreach (ushort other in nodes)
        {
            if (other == node)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// This component's part of a home's space, or null; one that another life of the processor, or another home, has left is destroyed.
    /// </summary>
    private AddressSpace* FindPart(ushort vnode, uint asid, ushort home, uint number)
    {
        AddressSpace* space = Find(vnode, asid);
        if (space != null && space->IsPart && (space->Home != home || space->HomeNumber != number))
        {
            Destroy(space);
            space = null;
        }

        return space != null && space->IsPart ? space : null;
    }
}
