// The multicast groups that this node listens to, by interface. Sockets and addresses (each IPv6 address has a group for questions about
// it) join; the last one that leaves ends the membership.

namespace Lego.Kernel;

/// <summary>A membership.</summary>
public struct GroupEntry
{
    /// <summary>0: a free entry.</summary>
    public int References;
    public IpAddress Group;
    public int InterfaceIndex;
    /// <summary>When to report it next; NetworkClock.Never = not by itself.</summary>
    internal ulong ReportAtNs;
    /// <summary>Unsolicited reports that are still to be made.</summary>
    internal int ReportsLeft;
}

/// <summary>All memberships of a stack.</summary>
public sealed class GroupTable
{
    private const int TableSize = 128;

    private readonly GroupEntry[] _entries = new GroupEntry[TableSize];

    /// <summary>Entries, free ones included.</summary>
    public int Capacity => TableSize;

    public ref GroupEntry this[int index] => ref _entries[index];

    /// <summary>
    /// Whether packets to a group are for this node. Every node is in the groups of all nodes (RFC 1112, 7.2; RFC 4291, 2.8).
    /// </summary>
    public bool IsJoined(IpAddress group, int interfaceIndex) => IsOfAllNodes(group) || Find(group, interfaceIndex) >= 0;

    /// <summary>The entry of a group, or -1.</summary>
    public int Find(IpAddress group, int interfaceIndex)
    {
        for (int index = 0; index < TableSize; index++)
        {
            if (_entries[index].References > 0 && _entries[index].InterfaceIndex == interfaceIndex && _entries[index].Group.Equals(group))
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>One more who listens; the entry's index, or -1 when the table is full.</summary>
    internal int Add(IpAddress group, int interfaceIndex)
    {
        int index = Find(group, interfaceIndex);
        for (int free = 0; index < 0 && free < TableSize; free++)
        {
            if (_entries[free].References == 0)
            {
                _entries[free].Group = group;
                _entries[free].InterfaceIndex = interfaceIndex;
                _entries[free].ReportAtNs = NetworkClock.Never;
                _entries[free].ReportsLeft = 0;
                index = free;
            }
        }

        if (index >= 0)
        {
            _entries[index].References++;
        }

        return index;
    }

    /// <summary>224.0.0.1, ff01::1 and ff02::1, which nobody joins and nobody reports.</summary>
    internal static bool IsOfAllNodes(IpAddress group) => group.IsV4
        ? group.V4 == 0xE000_0001
        : group.Second == 1 && group.First is (0xFF01UL << 48) or (0xFF02UL << 48);
}
