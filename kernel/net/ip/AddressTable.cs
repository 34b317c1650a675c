// The addresses of all interfaces, of both versions, with their states (RFC 4862, 5.5.4), and the choice of a source address.

namespace Lego.Kernel;

/// <summary>How far an address may be used.</summary>
public enum AddressState : byte
{
    /// <summary>Duplicate address detection is under way: not ours yet.</summary>
    Tentative = 0,
    Preferred = 1,
    /// <summary>Its preferred lifetime is over: serves connections that exist, begins none.</summary>
    Deprecated = 2,
    /// <summary>Somebody else has it.</summary>
    Duplicate = 3,
}

/// <summary>One address of one interface.</summary>
public struct InterfaceAddress
{
    public IpAddress Address;
    /// <summary>In bits of the version's own length.</summary>
    public byte PrefixLength;
    /// <summary>0: a free entry.</summary>
    public int InterfaceIndex;
    public AddressState State;
    /// <summary>Given by DHCP or a router, with a lifetime.</summary>
    public bool IsDynamic;
    /// <summary>Monotonic; NetworkClock.Never = for ever.</summary>
    public ulong PreferredUntilNs;
    public ulong ValidUntilNs;

    /// <summary>Whether packets to it are for this node.</summary>
    public readonly bool IsAssigned => InterfaceIndex != 0 && State is AddressState.Preferred or AddressState.Deprecated;

    /// <summary>The subnet's directed broadcast address (RFC 1122, 3.2.1.3); the address itself where a subnet has none.</summary>
    public readonly IpAddress Broadcast
    {
        get
        {
            const int longestWithBroadcast = 30;
            return Address.IsV4 && PrefixLength <= longestWithBroadcast
                ? IpAddress.FromV4(Address.V4 | (uint)(uint.MaxValue >> PrefixLength))
                : Address;
        }
    }
}

/// <summary>The addresses. A bounded table that is searched from one end to the other: there are few.</summary>
public sealed class AddressTable
{
    private const int TableSize = 64;

    private readonly InterfaceAddress[] _addresses = new InterfaceAddress[TableSize];
    /// <summary>Behind the last entry that was ever used: there are a handful, and every packet asks.</summary>
    private int _end;

    /// <summary>Entries, free ones included.</summary>
    public int Capacity => TableSize;

    public ref InterfaceAddress this[int index] => ref _addresses[index];

    /// <summary>Adds an address: EEXIST, ENOBUFS.</summary>
    public Errno Add(in InterfaceAddress address)
    {
        if (Find(address.Address, address.InterfaceIndex) >= 0)
        {
            return Errno.EEXIST;
        }

        for (int index = 0; index < TableSize; index++)
        {
            if (_addresses[index].InterfaceIndex == 0)
            {
                _addresses[index] = address;
                _end = System.Math.Max(_end, index + 1);
                return Errno.None;
            }
        }

        return Errno.ENOBUFS;
    }

    /// <summary>Takes an address away: EADDRNOTAVAIL.</summary>
    public Errno Remove(IpAddress address, int interfaceIndex)
    {
        int index = Find(address, interfaceIndex);
        if (index < 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        _addresses[index] = default;
        return Errno.None;
    }

    /// <summary>The entry of an address, whatever its state; -1 when there is none. Interface 0 stands for any.</summary>
    public int Find(IpAddress address, int interfaceIndex)
    {
        for (int index = 0; index < _end; index++)
        {
            ref InterfaceAddress entry = ref _addresses[index];
            if (entry.InterfaceIndex != 0 && (interfaceIndex == 0 || entry.InterfaceIndex == interfaceIndex)
                && entry.Address.Equals(address))
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>
    /// Whether the node answers to an address, on whichever interface it came (RFC 1122, 3.3.4.2, the weak model, as Linux); link-local
    /// addresses belong to one link.
    /// </summary>
    public bool IsLocal(IpAddress address, int interfaceIndex)
    {
        if (address.IsV4 && address.IsLoopback)
        {
            return true;
        }

        int index = Find(address, !address.IsV4 && address.IsLinkLocal ? interfaceIndex : 0);
        return index >= 0 && _addresses[index].IsAssigned;
    }

    /// <summary>The interface that has an address; 0 when none has.</summary>
    public int InterfaceOf(IpAddress address)
    {
        if (address.IsLoopback)
        {
            return InterfaceTable.LoopbackIndex;
        }

        int index = Find(address, 0);
        return index >= 0 && _addresses[index].IsAssigned ? _addresses[index].InterfaceIndex : 0;
    }

    /// <summary>Whether an IPv4 address is the broadcast address of an interface's subnet, or of all.</summary>
    public bool IsBroadcast(IpAddress address, int interfaceIndex)
    {
        if (!address.IsV4)
        {
            return false;
        }

        if (address.IsLimitedBroadcast)
        {
            return true;
        }

        for (int index = 0; index < _end; index++)
        {
            ref InterfaceAddress entry = ref _addresses[index];
            if (entry.IsAssigned && (interfaceIndex == 0 || entry.InterfaceIndex == interfaceIndex)
                && !entry.Broadcast.Equals(entry.Address) && entry.Broadcast.Equals(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// The source address for a destination (RFC 6724, 5, rules 1 to 5 and 8; IPv4 by the same rules): the destination itself if it is
    /// ours, appropriate scope, not deprecated, the outgoing interface, the longest common prefix. Unspecified when there is none.
    /// </summary>
    public IpAddress SourceFor(IpAddress destination, int interfaceIndex)
    {
        int best = -1;
        for (int index = 0; index < _end; index++)
        {
            if (IsCandidate(index, destination, interfaceIndex) && (best < 0 || IsBetter(index, best, destination, interfaceIndex)))
            {
                best = index;
            }
        }

        return best >= 0 ? _addresses[best].Address : destination.IsV4 ? IpAddress.AnyV4 : default;
    }

    private bool IsCandidate(int index, IpAddress destination, int interfaceIndex)
    {
        ref InterfaceAddress entry = ref _addresses[index];
        if (!entry.IsAssigned || entry.Address.IsV4 != destination.IsV4)
        {
            return false;
        }

        // Addresses of the loopback interface serve only there, and link-local ones only on their link.
        bool isOfInterface = entry.InterfaceIndex == interfaceIndex;
        return isOfInterface || (!entry.Address.IsLoopback && !entry.Address.IsLinkLocal);
    }

    private bool IsBetter(int candidate, int best, IpAddress destination, int interfaceIndex)
    {
        ref InterfaceAddress a = ref _addresses[candidate];
        ref InterfaceAddress b = ref _addresses[best];
        bool aIsDestination = a.Address.Equals(destination);
        if (aIsDestination != b.Address.Equals(destination))
        {
            return aIsDestination;
        }

        int aScope = ScopeOf(a.Address);
        int bScope = ScopeOf(b.Address);
        if (aScope != bScope)
        {
            int wanted = ScopeOf(destination);
            return aScope < bScope ? aScope >= wanted : bScope < wanted;
        }

        if (a.State != b.State)
        {
            return a.State == AddressState.Preferred;
        }

        bool aIsOfInterface = a.InterfaceIndex == interfaceIndex;
        if (aIsOfInterface != (b.InterfaceIndex == interfaceIndex))
        {
            return aIsOfInterface;
        }

        return CommonPrefixLength(a.Address, destination) > CommonPrefixLength(b.Address, destination);
    }

    /// <summary>
    /// Interface-local, link-local, global, as numbers that compare (RFC 6724, 3.1). Multicast scopes are those of RFC 4291, 2.7.
    /// </summary>
    private static int ScopeOf(IpAddress address)
    {
        const int interfaceLocal = 1;
        const int linkLocal = 2;
        const int global = 14;
        if (address.IsLoopback)
        {
            return interfaceLocal;
        }

        if (address.IsMulticast && !address.IsV4)
        {
            return (int)(address.First >> 48) & 0xF;
        }

        return address.IsLinkLocal ? linkLocal : global;
    }

    private static int CommonPrefixLength(IpAddress a, IpAddress b)
    {
        ulong first = a.First ^ b.First;
        return first != 0
            ? System.Numerics.BitOperations.LeadingZeroCount(first)
            : 64 + System.Numerics.BitOperations.LeadingZeroCount(a.Second ^ b.Second);
    }
}
