// What the boot line can say to a manager. Read once at boot.

using Lego.Kernel;

namespace Lego.Manager;

/// <summary>Settings of a manager component.</summary>
public struct ManagerOptions
{
    private const ulong NsPerSecond = 1_000_000_000;
    private const ulong NsPerMillisecond = 1_000_000;

    /// <summary>Higher than any epoch of an earlier boot.</summary>
    public uint FirstEpoch;
    public ulong SuspectNs;
    public ulong FailNs;
    public PlacementPolicy MemoryPolicy;

    /// <summary>Boot line keys: suspect_ms, fail_ms, placement=least-loaded|round-robin.</summary>
    public static ManagerOptions FromBootLine() => new()
    {
        // Real time in seconds grows from boot to boot and fits a u32 until 2106.
        FirstEpoch = (uint)(Clock.UnixTimeNs() / NsPerSecond),
        SuspectNs = BootArguments.GetNumber("suspect_ms"u8, MembershipTable.DefaultSuspectNs / NsPerMillisecond) * NsPerMillisecond,
        FailNs = BootArguments.GetNumber("fail_ms"u8, MembershipTable.DefaultFailNs / NsPerMillisecond) * NsPerMillisecond,
        MemoryPolicy = BootArguments.Is("placement"u8, "round-robin"u8) ? PlacementPolicy.RoundRobin : PlacementPolicy.LeastLoaded,
    };
}
