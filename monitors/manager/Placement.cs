// The coarse decisions of the rack, taken on approximate load (heartbeats): GPM, which processor component starts a program; GMM, which
// memory component is a process's home and which one owns new vRegions; GSM, where files and their cache are.
// Functions of the membership table, what came last in a turn, the memory component in use and what was given away. Never block or
// allocate.
// EHOSTDOWN: no such component is there.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager;

/// <summary>How the GMM chooses among memory components.</summary>
public enum PlacementPolicy : byte
{
    /// <summary>The one with the least memory use and recent requests.</summary>
    LeastLoaded,
    /// <summary>One after the other.</summary>
    RoundRobin,
}

/// <summary>How the GPM chooses among processor components. What a program starts itself stays where it is.</summary>
public enum ProcessPolicy : byte
{
    /// <summary>The one with the fewest processes.</summary>
    Fewest,
    /// <summary>The first one, by node, that is not full, so that the others stay idle; the one with the fewest when all are.</summary>
    Packed,
    /// <summary>One after the other.</summary>
    Spread,
}

/// <summary>GPM, GMM and GSM.</summary>
public sealed class Placement
{
    /// <summary>Processes that make a processor component full for <see cref="ProcessPolicy.Packed"/>.</summary>
    public const uint PackedProcesses = 16;

    private const ulong Full = 1000;
    /// <summary>Requests in a heartbeat period that make a component busy, if no other has more: fewer are the rack's own.</summary>
    private const ulong ManyRequests = 1000;

    private readonly MembershipTable _members;
    private readonly PlacementPolicy _policy;
    private readonly ProcessPolicy _processPolicy;
    private int _nextMemory;
    private ushort _lastProcessor;
    /// <summary>Where all programs' files are cached; 0 before the first program.</summary>
    private ushort _fileMemory;

    public Placement(MembershipTable members, PlacementPolicy policy, ProcessPolicy processPolicy = ProcessPolicy.Fewest)
    {
        _members = members;
        _policy = policy;
        _processPolicy = processPolicy;
    }

    /// <summary>
    /// GPM: the processor component for a program, by policy; among equals the lowest node. <paramref name="wanted"/>: the one that the
    /// user has named, whatever its load, or 0.
    /// </summary>
    public Errno ChooseProcessor(ushort wanted, out ushort node)
    {
        int best = -1;
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            bool isThere = wanted == 0
                ? IsCandidate(in member, ComponentKind.Processor)
                : member.Node == wanted && member.Kind == ComponentKind.Processor && member.State != MemberState.Failed;
            if (isThere && (best < 0 || RankOf(in member) < RankOf(in _members[best])))
            {
                best = index;
            }
        }

        Errno error = Result(best, out node);
        _lastProcessor = node;
        return error;
    }

    /// <summary>GMM: the memory component that suits new processes best.</summary>
    public Errno ChooseHome(out ushort node) => Result(ChooseMemory(0), out node);

    /// <summary>
    /// GMM: the owners of new vRegions, chosen one after the other, or for very many of them in equal portions; neighbours with one owner
    /// are one run. First notes what the asking home says about itself. What is given away counts as used for a while
    /// (Member.PromisedBytes).
    /// </summary>
    public Errno ChooseOwners(in ConsultRequest request, ushort asker, Span<OwnerRun> runs, out int count)
    {
        count = 0;
        int index = _members.Find(asker);
        if (index >= 0)
        {
            _members[index].FreeBytes = request.FreeBytes;
        }

        uint portion = Math.Max(1, ((request.Count - 1) / (uint)runs.Length) + 1);
        for (uint left = request.Count; left > 0;)
        {
            uint part = Math.Min(portion, left);
            Errno error = Result(ChooseMemory(request.RegionBytes), out ushort owner);
            if (error != Errno.None)
            {
                return error;
            }

            _members[_members.Find(owner)].PromisedBytes += part * request.RegionBytes;
            if (count > 0 && runs[count - 1].Owner == owner)
            {
                runs[count - 1].Count += part;
            }
            else
            {
                runs[count++] = new OwnerRun { Owner = owner, Count = part };
            }

            left -= part;
        }

        return Errno.None;
    }

    /// <summary>What all memory components that may be given work have together.</summary>
    public ulong MemoryBytes
    {
        get
        {
            ulong bytes = 0;
            for (int index = 0; index < _members.Count; index++)
            {
                bytes += TakesMemory(in _members[index]) ? _members[index].CapacityBytes : 0;
            }

            return bytes;
        }
    }

    /// <summary>GSM: the storage component of a new process. One volume per rack so far: the lowest living node.</summary>
    public Errno ChooseStorage(out ushort node) => Result(Lowest(ComponentKind.Storage), out node);

    /// <summary>
    /// GSM: the memory component that caches files. The same for every process, because all blocks of a file must be cached in one place
    /// and any process may open any file; so it stays, suspect or not, until it has failed.
    /// </summary>
    public Errno ChooseFileMemory(out ushort node)
    {
        _fileMemory = FileMemory();
        int index = _members.Find(_fileMemory);
        bool isThere = index >= 0 && _members[index].Kind == ComponentKind.Memory
            && (_members[index].State == MemberState.Alive || _members[index].State == MemberState.Suspect);
        Errno error = isThere ? Errno.None : ChooseHome(out _fileMemory);
        node = _fileMemory;
        return error;
    }

    /// <summary>True when this component caches all programs' files and is their home, or did so when it failed.</summary>
    public bool CachesFiles(ushort node) => FileMemory() == node;

    /// <summary>Where files are cached: a manager that has begun anew believes the one that has most to lose. 0: nowhere yet.</summary>
    private ushort FileMemory()
    {
        MemberRoles most = MemberRoles.None;
        ushort found = _fileMemory;
        for (int index = 0; index < _members.Count && _fileMemory == 0; index++)
        {
            ref Member member = ref _members[index];
            if (member.Kind == ComponentKind.Memory && member.State != MemberState.Failed && member.Roles > most)
            {
                most = member.Roles;
                found = member.Node;
            }
        }

        return found;
    }

    /// <summary>
    /// All that a new process needs to know. Its home is where files are cached: a mapping's pages are the file's blocks themselves, and a
    /// home that cached blocks of its own would map and execute what others have overwritten since.
    /// </summary>
    public Errno Place(out PlaceReply place)
    {
        place = default;
        Errno error = ChooseFileMemory(out place.FileMemory);
        place.HomeMemory = place.FileMemory;
        return error != Errno.None ? error : ChooseStorage(out place.Storage);
    }

    /// <summary>A memory component that may be given vRegions: one that is drained never.</summary>
    private bool TakesMemory(in Member member) => !member.IsDraining && IsCandidate(in member, ComponentKind.Memory);

    /// <summary>A suspect, which may only be slow, is given work when there is nobody else of its kind.</summary>
    private bool IsCandidate(in Member member, ComponentKind kind) =>
        member.Kind == kind && (member.State == MemberState.Alive || (member.State == MemberState.Suspect && !HasLiving(kind)));

    private bool HasLiving(ComponentKind kind)
    {
        for (int index = 0; index < _members.Count; index++)
        {
            if (_members[index].Kind == kind && _members[index].State == MemberState.Alive && !_members[index].IsDraining)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>What the policy orders processor components by, the best first; the node decides among equals.</summary>
    private ulong RankOf(in Member member)
    {
        ulong load = member.Processes + member.Starting;
        ulong rank = _processPolicy switch
        {
            ProcessPolicy.Packed => load < PackedProcesses ? 0 : load,
            ProcessPolicy.Spread => member.Node > _lastProcessor ? 0u : 1u,
            _ => load,
        };
        return (rank << 16) | member.Node;
    }

    private Errno Result(int index, out ushort node)
    {
        node = index < 0 ? (ushort)0 : _members[index].Node;
        return index < 0 ? Errno.EHOSTDOWN : Errno.None;
    }

    private int Lowest(ComponentKind kind)
    {
        int best = -1;
        for (int index = 0; index < _members.Count; index++)
        {
            if (IsCandidate(in _members[index], kind) && (best < 0 || _members[index].Node < _members[best].Node))
            {
                best = index;
            }
        }

        return best;
    }

    private int ChooseMemory(ulong neededBytes) =>
        _policy == PlacementPolicy.RoundRobin ? NextInTurn() : LeastLoaded(neededBytes);

    private int NextInTurn()
    {
        for (int tried = 0; tried < _members.Count; tried++)
        {
            int index = _nextMemory % _members.Count;
            _nextMemory = index + 1;
            if (TakesMemory(in _members[index]))
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>
    /// Among those with the needed bytes free, the least loaded. When none has them, the one with the most room, and without any the least
    /// loaded: address space is given out beyond physical memory (frames follow at first write-back), so a vRegion larger than every m is
    /// no error.
    /// </summary>
    private int LeastLoaded(ulong neededBytes)
    {
        ulong mostRequests = ManyRequests;
        for (int index = 0; index < _members.Count; index++)
        {
            if (TakesMemory(in _members[index]) && _members[index].RecentRequests > mostRequests)
            {
                mostRequests = _members[index].RecentRequests;
            }
        }

        int best = -1;
        ulong bestLoad = ulong.MaxValue;
        int roomiest = -1;
        ulong roomiestLoad = 0;
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            if (!TakesMemory(in member))
            {
                continue;
            }

            ulong load = UsedShare(in member) + (member.RecentRequests * Full / mostRequests);
            ulong room = Room(in member);
            if (roomiest < 0 || room > Room(in _members[roomiest]) || (room == Room(in _members[roomiest]) && load < roomiestLoad))
            {
                roomiest = index;
                roomiestLoad = load;
            }

            if (room >= neededBytes && load < bestLoad)
            {
                best = index;
                bestLoad = load;
            }
        }

        return best >= 0 ? best : roomiest;
    }

    /// <summary>Free memory that has not been given away. What was given beyond it makes the room no smaller than nothing.</summary>
    private static ulong Room(in Member member) => member.FreeBytes - Math.Min(member.FreeBytes, member.PromisedBytes);

    /// <summary>Used memory in thousandths of the capacity; more than all when more has been given away.</summary>
    private static ulong UsedShare(in Member member)
    {
        ulong used = member.CapacityBytes - Math.Min(member.CapacityBytes, member.FreeBytes) + member.PromisedBytes;
        return used / ((member.CapacityBytes / Full) + 1);
    }
}
