// What the boot line can say to a manager. Read once at boot.

using Lego.Kernel;

namespace Lego.Manager;

/// <summary>Settings of a manager component.</summary>
public struct ManagerOptions
{
    private const ulong NsPerMillisecond = 1_000_000;

    public ulong SuspectNs;
    public ulong FailNs;
    public PlacementPolicy MemoryPolicy;
    public ProcessPolicy ProcessPolicy;

    /// <summary>Boot line keys: suspect_ms, fail_ms, placement=least-loaded|round-robin, processes=fewest|packed|spread.</summary>
    public static ManagerOptions FromBootLine() => new()
    {
        SuspectNs = BootArguments.GetNumber("suspect_ms"u8, MembershipTable.DefaultSuspectNs / NsPerMillisecond) * NsPerMillisecond,
        FailNs = BootArguments.GetNumber("fail_ms"u8, MembershipTable.DefaultFailNs / NsPerMillisecond) * NsPerMillisecond,
        MemoryPolicy = BootArguments.Is("placement"u8, "round-robin"u8) ? PlacementPolicy.RoundRobin : PlacementPolicy.LeastLoaded,
        ProcessPolicy = BootArguments.Is("processes"u8, "packed"u8) ? ProcessPolicy.Packed
            : BootArguments.Is("processes"u8, "spread"u8) ? ProcessPolicy.Spread : ProcessPolicy.Fewest,
    };
}
