// The groups that endpoints have joined (IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP).

namespace Lego.Kernel;

/// <summary>Joins and leaves for endpoints.</summary>
public sealed unsafe class GroupJoins
{
    /// <summary>igmp_max_memberships is 20 a socket; this is for all of them.</summary>
    private const ulong MaxJoins = 4096;

    private readonly GroupMembership _groups;
    private readonly Slab<GroupJoin> _slab;

    public GroupJoins(FrameAllocator frames, GroupMembership groups)
    {
        _groups = groups;
        _slab = new Slab<GroupJoin>(frames, MaxJoins);
    }

    /// <summary>Joins: EADDRINUSE, EINVAL for what is no group, ENODEV, ENOBUFS.</summary>
    public Errno Join(DatagramEndpoint* endpoint, IpAddress group, int interfaceIndex)
    {
        if (!group.IsMulticast)
        {
            return Errno.EINVAL;
        }

        if (HasJoined(endpoint, group, interfaceIndex))
        {
            return Errno.EADDRINUSE;
        }

        GroupJoin* join = _slab.Allocate();
        if (join == null)
        {
            return Errno.ENOBUFS;
        }

        Errno error = _groups.Join(group, interfaceIndex);
        if (error != Errno.None)
        {
            _slab.Free(join);
            return error;
        }

        join->Group = group;
        join->InterfaceIndex = interfaceIndex;
        join->Next = endpoint->Groups;
        endpoint->Groups = join;
        return Errno.None;
    }

    /// <summary>Leaves: EADDRNOTAVAIL. Interface 0: the one where it was joined.</summary>
    public Errno Leave(DatagramEndpoint* endpoint, IpAddress group, int interfaceIndex)
    {
        GroupJoin* before = null;
        for (GroupJoin* join = endpoint->Groups; join != null; before = join, join = join->Next)
        {
            if (!join->Group.Equals(group) || (interfaceIndex != 0 && join->InterfaceIndex != interfaceIndex))
            {
                continue;
            }

            if (before == null)
            {
                endpoint->Groups = join->Next;
            }
            else
            {
                before->Next = join->Next;
            }

            End(join);
            return Errno.None;
        }

        return Errno.EADDRNOTAVAIL;
    }

    /// <summary>Leaves all.</summary>
    public void LeaveAll(DatagramEndpoint* endpoint)
    {
        while (endpoint->Groups != null)
        {
            GroupJoin* join = endpoint->Groups;
            endpoint->Groups = join->Next;
            End(join);
        }
    }

    /// <summary>Whether the endpoint has joined a group.</summary>
    public static bool HasJoined(DatagramEndpoint* endpoint, IpAddress group, int interfaceIndex)
    {
        for (GroupJoin* join = endpoint->Groups; join != null; join = join->Next)
        {
            if (join->Group.Equals(group) && join->InterfaceIndex == interfaceIndex)
            {
                return true;
            }
        }

        return false;
    }

    private void End(GroupJoin* join)
    {
        _groups.Leave(join->Group, join->InterfaceIndex);
        _slab.Free(join);
    }
}
