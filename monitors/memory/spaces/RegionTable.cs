// vRegions: an address space is cut into coarse regions of one fixed size, and each active region has exactly one owner, the memory
// component that has the space's pages there and serves every access to them. Neighbours with the same owner are kept as one run, so a
// huge mapping is one entry.
// Owners come from the manager (GMM); this table only remembers them. Never blocks.

using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Active regions [Start, End) of one owner.</summary>
internal unsafe struct RegionRun
{
    internal ulong Start;
    internal ulong End;
    internal ushort Owner;
    internal RegionRun* Next;
}

/// <summary>The vRegion array of each address space.</summary>
internal sealed unsafe class RegionTable
{
    /// <summary>Most runs of a space: what fits into a reply beside MaxVmas ranges (SpaceRecords).</summary>
    internal const uint MaxRuns = Fabric.Messages.RegionRecord.Most;
    /// <summary>Runs that a change in the middle of others takes.</summary>
    private const uint MostAdded = 2;

    private readonly Slab<RegionRun> _runs;
    private readonly FramePool _pool;
    private RegionRun* _spare;
    private RegionRun* _otherSpare;

    internal RegionTable(FrameAllocator frames, FramePool pool, ulong regionBytes, ushort self)
    {
        _runs = new Slab<RegionRun>(frames);
        _pool = pool;
        RegionBytes = regionBytes;
        Self = self;
    }

    /// <summary>Size of a region, a power of two.</summary>
    internal ulong RegionBytes { get; }

    /// <summary>This component's node.</summary>
    internal ushort Self { get; }

    internal ulong InUse => _runs.InUse;

    internal ulong RoundDown(ulong address) => address & ~(RegionBytes - 1);

    internal ulong RoundUp(ulong address) => (address + RegionBytes - 1) & ~(RegionBytes - 1);

    /// <summary>The run that contains the address, or null.</summary>
    internal static RegionRun* Find(AddressSpace* space, ulong address)
    {
        RegionRun* run = space->Regions;
        while (run != null && run->End <= address)
        {
            run = run->Next;
        }

        return run != null && run->Start <= address ? run : null;
    }

    /// <summary>The owner of an active address, and where its run ends; 0 when the address is in no active region.</summary>
    internal static ushort OwnerOf(AddressSpace* space, ulong address, out ulong end)
    {
        RegionRun* run = Find(space, address);
        end = run == null ? address : run->End;
        return run == null ? (ushort)0 : run->Owner;
    }

    /// <summary>The owner of a run that would only become longer by [start, end); 0: there is none.</summary>
    internal static ushort NeighbourOf(AddressSpace* space, ulong start, ulong end)
    {
        RegionRun* run = space->Regions;
        while (run != null && run->End != start && run->Start != end)
        {
            run = run->Next;
        }

        return run == null ? (ushort)0 : run->Owner;
    }

    internal static bool HasRunOf(AddressSpace* space, ushort owner)
    {
        RegionRun* run = space->Regions;
        while (run != null && run->Owner != owner)
        {
            run = run->Next;
        }

        return run != null;
    }

    /// <summary>None when all of [start, end) is active; EINPROGRESS when regions, given back in <paramref name="demand"/>, must be
    /// activated first.</summary>
    internal Errno Check(AddressSpace* space, ulong start, ulong end, out RegionDemand demand)
    {
        demand = default;
        for (ulong address = start; address < end;)
        {
            RegionRun* run = Find(space, address);
            if (run == null)
            {
                demand.Start = RoundDown(address);
                demand.End = RoundUp(end);
                // Up to the next active run: one message asks for contiguous regions only.
                for (RegionRun* next = space->Regions; next != null; next = next->Next)
                {
                    if (next->Start > address && next->Start < demand.End)
                    {
                        demand.End = next->Start;
                        break;
                    }
                }

                return Errno.EINPROGRESS;
            }

            address = run->End;
        }

        return Errno.None;
    }

    /// <summary>Remembers the owner of newly active regions; a part that is active already keeps its owner. ENOMEM,
    /// also when there are MaxRuns.</summary>
    internal Errno Activate(AddressSpace* space, ulong start, ulong end, ushort owner)
    {
        while (start < end)
        {
            RegionRun* previous = null;
            RegionRun* next = space->Regions;
            while (next != null && next->End <= start)
            {
                previous = next;
                next = next->Next;
            }

            if (next != null && next->Start <= start)
            {
                start = next->End;
                continue;
            }

            ulong partEnd = next != null && next->Start < end ? next->Start : end;
            if (previous != null && previous->End == start && previous->Owner == owner)
            {
                previous->End = partEnd;
            }
            else
            {
                _pool.EnsureReserve();
                RegionRun* run = space->RegionCount < MaxRuns ? _runs.Allocate() : null;
                if (run == null)
                {
                    return Errno.ENOMEM;
                }

                run->Start = start;
                run->End = partEnd;
                run->Owner = owner;
                run->Next = next;
                *(previous != null ? &previous->Next : &space->Regions) = run;
                space->RegionCount++;
                previous = run;
            }

            if (next != null && next->Start == previous->End && next->Owner == previous->Owner)
            {
                previous->End = next->End;
                previous->Next = next->Next;
                _runs.Free(next);
                space->RegionCount--;
            }

            start = partEnd;
        }

        return Errno.None;
    }

    /// <summary>Takes what the next <see cref="Change"/> of a space may need, so that it cannot fail. ENOMEM.</summary>
    internal Errno Reserve(AddressSpace* space)
    {
        _pool.EnsureReserve();
        _spare = space->RegionCount + MostAdded <= MaxRuns ? _runs.Allocate() : null;
        _otherSpare = _spare != null ? _runs.Allocate() : null;
        if (_otherSpare != null)
        {
            return Errno.None;
        }

        Unreserve();
        return Errno.ENOMEM;
    }

    /// <summary>Gives it back: at once before the change, or instead of it.</summary>
    internal void Unreserve()
    {
        if (_spare != null)
        {
            _runs.Free(_spare);
        }

        if (_otherSpare != null)
        {
            _runs.Free(_otherSpare);
        }

        _spare = null;
        _otherSpare = null;
    }

    /// <summary>Active regions, or parts of them, get another owner; 0: they are active no more. ENOMEM.</summary>
    internal Errno Change(AddressSpace* space, ulong start, ulong end, ushort owner)
    {
        for (RegionRun** link = &space->Regions; *link != null && (*link)->Start < end;)
        {
            RegionRun* run = *link;
            if (run->End <= start)
            {
                link = &run->Next;
            }
            else if (run->Start >= start && run->End <= end)
            {
                *link = run->Next;
                _runs.Free(run);
                space->RegionCount--;
            }
            else if (run->Start >= start)
            {
                run->Start = end;
            }
            else if (run->End <= end)
            {
                run->End = start;
                link = &run->Next;
            }
            else
            {
                RegionRun* upper = _runs.Allocate();
                if (upper == null)
                {
                    return Errno.ENOMEM;
                }

                upper->Start = end;
                upper->End = run->End;
                upper->Owner = run->Owner;
                upper->Next = run->Next;
                run->End = start;
                run->Next = upper;
                space->RegionCount++;
                break;
            }
        }

        return owner == 0 ? Errno.None : Activate(space, start, end, owner);
    }

    /// <summary>Copies the array for fork. On ENOMEM the child has a part; drop it.</summary>
    internal Errno Copy(AddressSpace* parent, AddressSpace* child)
    {
        for (RegionRun* run = parent->Regions; run != null; run = run->Next)
        {
            Errno error = Activate(child, run->Start, run->End, run->Owner);
            if (error != Errno.None)
            {
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>Forgets the array.</summary>
    internal void Drop(AddressSpace* space)
    {
        while (space->Regions != null)
        {
            RegionRun* run = space->Regions;
            space->Regions = run->Next;
            _runs.Free(run);
        }

        space->RegionCount = 0;
    }
}

/// <summary>Contiguous regions that need an owner.</summary>
public struct RegionDemand
{
    public ulong Start;
    public ulong End;
}
