// How a component measures its own approximate load for heartbeats; the image's Main implements it over its monitor. Must not block.

using Lego.Fabric.Messages;

namespace Lego.Common.Membership;

/// <summary>What placement wants to know about a component.</summary>
public struct ComponentLoad
{
    /// <summary>Memory that could still be given out.</summary>
    public ulong FreeBytes;
    /// <summary>Requests answered since boot; the manager looks at the difference between two heartbeats.</summary>
    public ulong RequestsServed;
    /// <summary>Processes (p); 0 elsewhere.</summary>
    public uint Threads;
    /// <summary>What it holds that only one memory component may.</summary>
    public MemberRoles Roles;
}

/// <summary>Measures a component.</summary>
public abstract class LoadSource
{
    public abstract void Measure(out ComponentLoad load);
}
