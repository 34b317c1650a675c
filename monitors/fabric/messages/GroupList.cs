// The supplementary groups of whoever makes a request about a path (credentials(7)): their members have the rights of a file's group. A
// list has its full size in every such request, also where it is empty, as it is for root, who needs none. A process may be in more groups
// than a list holds (process/GroupSet.cs): its requests tell the lowest of them, as those of NFS tell 16 (RFC 5531, AUTH_SYS), and to
// storage it is in no other.

using System;
using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>Supplementary groups (getgroups(2)).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public unsafe struct GroupList
{
    /// <summary>Most groups that a request tells.</summary>
    public const int Most = 32;

    public uint Count;
    public uint Reserved;
    private fixed uint _groups[Most];

    /// <summary>The groups; a message may say any count.</summary>
    public static ReadOnlySpan<uint> Of(GroupList* list) => new(list->_groups, (int)Math.Min(list->Count, Most));

    /// <summary>Whether a group is among others, which are in ascending order if they are more than a request tells.</summary>
    public static bool Has(ReadOnlySpan<uint> groups, uint group)
    {
        while (groups.Length > Most)
        {
            int middle = groups.Length / 2;
            groups = groups[middle] <= group ? groups.Slice(middle) : groups.Slice(0, middle);
        }

        bool has = false;
        for (int index = 0; index < groups.Length && !has; index++)
        {
            has = groups[index] == group;
        }

        return has;
    }

    /// <summary>Whether somebody of a group and others is in the one that is asked for (Linux's in_group_p).</summary>
    public static bool Includes(uint own, ReadOnlySpan<uint> others, uint group) => own == group || Has(others, group);

    /// <summary>Takes these groups; no more than <see cref="Most"/>.</summary>
    public void Set(scoped ReadOnlySpan<uint> groups)
    {
        Count = (uint)groups.Length;
        fixed (uint* to = _groups)
        {
            groups.CopyTo(new Span<uint>(to, Most));
        }
    }
}
