// One component as the manager sees it. Lives in MembershipTable's array.

using Lego.Fabric.Messages;

namespace Lego.Manager;

/// <summary>Identity, state and approximate load of a member.</summary>
public struct Member
{
    public ushort Node;
    public ComponentKind Kind;
    public MemberState State;
    /// <summary>Boot of the node; a new one is a new member in the old one's place.</summary>
    public uint Incarnation;
    public MemberRoles Roles;
    /// <summary>It is to own no vRegions: placement passes over it until the user says otherwise or its life ends.</summary>
    public bool IsDraining;
    public ulong CapacityBytes;
    public ulong FreeBytes;
    /// <summary>
    /// Bytes of vRegions that it was made the owner of lately: soon used, as FreeBytes will tell. Half of it is forgotten with each
    /// heartbeat.
    /// </summary>
    public ulong PromisedBytes;
    /// <summary>Requests served in the last heartbeat period.</summary>
    public ulong RecentRequests;
    public ulong RequestsServed;
    /// <summary>Processes (p), as it said last: each heartbeat, each start and each end of a program says it.</summary>
    public uint Processes;
    /// <summary>Programs that it is starting (p), which it has not counted yet as far as it has said.</summary>
    public uint Starting;
    /// <summary>Time without a sign of life, as far as the manager was there to see it.</summary>
    public ulong SilentNs;
    /// <summary>The endpoint's count of its frames when it was last looked at.</summary>
    public uint FramesHeard;
}
