// A whole rack as the user describes it: its components in node order and the link that joins them. Immutable. Without a rack file it is
// one of each kind; the command line's options replace single figures of it.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Numerics;

namespace Lego.Racks;

/// <summary>What carries the messages between components.</summary>
public enum LinkKind
{
    /// <summary>One shared-memory region with two message rings per pair of machines.</summary>
    Ring,
    /// <summary>Ethernet frames on one shared segment.</summary>
    Ethernet,
    /// <summary>In one image's memory (solo).</summary>
    Local,
}

/// <summary>The components of a rack and what joins them.</summary>
public sealed record RackDescription
{
    /// <summary>Most components on rings: each has two PCI slots for each of the others (<see cref="QemuCommandLine"/>).</summary>
    public const int MostOnRings = 1 + ((QemuCommandLine.Slots - QemuCommandLine.FirstRingSlot) / 2);
    /// <summary>Most components at all (the images' MembershipTable.MaxMembers).</summary>
    public const int MostComponents = 64;
    public const long DefaultProcessorMemoryBytes = 64 * ByteSize.MiB;
    public const long DefaultExCacheBytes = 16 * ByteSize.MiB;
    public const long DefaultMemoryBytes = ByteSize.GiB;
    public const long DefaultStorageMemoryBytes = 128 * ByteSize.MiB;
    public const long DefaultManagerMemoryBytes = 64 * ByteSize.MiB;

    /// <summary>RAM of a processor component of which only the ExCache is given: as much beside it as in the default rack.</summary>
    public static long ProcessorMemoryFor(long exCacheBytes)
    {
        long least = exCacheBytes + (DefaultProcessorMemoryBytes - DefaultExCacheBytes);
        return Math.Max(DefaultProcessorMemoryBytes, (least + ByteSize.MiB - 1) / ByteSize.MiB * ByteSize.MiB);
    }

    /// <summary>Sizes of a vRegion that memory images take (monitors/memory/MemoryMonitor.cs).</summary>
    public const long LeastRegionBytes = 2 * ByteSize.MiB;
    public const long MostRegionBytes = 1024 * ByteSize.GiB;

    /// <summary>Bytes of a vRegion, the same at all memory components; null leaves it to the images.</summary>
    public long? RegionBytes { get; init; }

    /// <summary>What joins the components.</summary>
    public LinkKind Link { get; init; } = LinkKind.Ring;
    /// <summary>In the order of their nodes, which are from 1.</summary>
    public required IReadOnlyList<ComponentDescription> Components { get; init; }
    /// <summary>The networks of programs and of the link.</summary>
    public NetworkDescription Network { get; init; } = new();
    /// <summary>Ethernet only: percentage of frames that the segment drops, for tests.</summary>
    public double LossPercent { get; init; }
    /// <summary>Seed of the choice of frames that have faults, on the link and on the programs' wire.</summary>
    public ulong LossSeed { get; init; } = 1;

    /// <summary>The rack of one processor, memory, storage and manager component.</summary>
    public static RackDescription Default => new()
    {
        Components =
        [
            new()
            {
                Kind = ComponentKind.Processor, Name = "p0", Node = 1,
                MemoryBytes = DefaultProcessorMemoryBytes, ExCacheBytes = DefaultExCacheBytes,
            },
            new() { Kind = ComponentKind.Memory, Name = "m0", Node = 2, MemoryBytes = DefaultMemoryBytes },
            new() { Kind = ComponentKind.Storage, Name = "s0", Node = 3, MemoryBytes = DefaultStorageMemoryBytes },
            new() { Kind = ComponentKind.Manager, Name = "g0", Node = 4, MemoryBytes = DefaultManagerMemoryBytes },
        ],
    };

    /// <summary>The same monitors in one machine: its RAM is that of the processor and the memory component together.</summary>
    public RackDescription ToSolo()
    {
        foreach (ComponentKind kind in new[] { ComponentKind.Processor, ComponentKind.Memory })
        {
            if (Components.Count(c => c.Kind == kind) > 1)
            {
                throw ToolException.Usage($"a solo machine has one {kind.ToString().ToLowerInvariant()} component; this rack has several");
            }
        }

        ComponentDescription processor = Components.Single(c => c.Kind == ComponentKind.Processor);
        ComponentDescription memory = Components.Single(c => c.Kind == ComponentKind.Memory);
        ComponentDescription storage = Components.Single(c => c.Kind == ComponentKind.Storage);
        return this with
        {
            Link = LinkKind.Local,
            Components =
            [
                processor with
                {
                    Kind = ComponentKind.Solo, Name = "x0", Node = 1, Volume = storage.Volume,
                    MemoryBytes = processor.MemoryBytes + memory.MemoryBytes, HomeMemoryBytes = memory.MemoryBytes,
                },
            ],
        };
    }

    /// <summary>The component that starts programs.</summary>
    public ComponentDescription StartingComponent => Components.First(c => c.Kind is ComponentKind.Manager or ComponentKind.Solo);

    /// <summary>
    /// The first component that runs programs. Each has a network card for them; published ports lead to this one's, and it is the one
    /// whose frames are recorded and whose wire may have faults.
    /// </summary>
    public ComponentDescription ProgramsComponent => Components.First(c => c.HasExCache);

    /// <summary>The component that has the volume.</summary>
    public ComponentDescription VolumeComponent => Components.First(c => c.HasVolume);

    /// <summary>Applies a change to every component of one kind.</summary>
    public RackDescription With(ComponentKind kind, System.Func<ComponentDescription, ComponentDescription> change) =>
        this with { Components = [.. Components.Select(c => c.Kind == kind ? change(c) : c)] };

    /// <summary>Fails with a usage sentence when this is not a rack that today's images can form.</summary>
    public void Check()
    {
        if (Network is { Kind: NetworkKind.None, Wire: not null })
        {
            throw ToolException.Usage("without a network there is no wire to have faults");
        }

        if (Network is { Kind: NetworkKind.None, Published.Count: > 0 })
        {
            throw ToolException.Usage($"nothing can be published without a network: {Network.Published[0]}");
        }

        if (Network is { Kind: NetworkKind.None, CapturePath: not null })
        {
            throw ToolException.Usage("without a network there are no frames of programs to record");
        }

        if (Network.FabricCapturePath is not null && Link != LinkKind.Ethernet)
        {
            throw ToolException.Usage("messages are frames on the ethernet link only; to record them add --link ethernet");
        }

        if (Components.Any(c => c.Kind == ComponentKind.Solo))
        {
            Components.Single().Check();
            return;
        }

        foreach (ComponentKind kind in new[] { ComponentKind.Processor, ComponentKind.Memory, ComponentKind.Storage,
            ComponentKind.Manager })
        {
            int count = Components.Count(c => c.Kind == kind);
            bool mayBeSeveral = kind is ComponentKind.Processor or ComponentKind.Memory;
            if (count == 0 || (count > 1 && !mayBeSeveral))
            {
                throw ToolException.Usage($"a rack has {(mayBeSeveral ? "at least" : "exactly")} one {kind.ToString().ToLowerInvariant()} "
                    + $"component{(mayBeSeveral ? "" : " today")}; this one has {count}");
            }
        }

        int most = Link == LinkKind.Ring ? MostOnRings : MostComponents;
        if (Components.Count > most)
        {
            string way = Link == LinkKind.Ring ? "; link ethernet joins more" : "";
            throw ToolException.Usage($"link {Link.ToString().ToLowerInvariant()} joins at most {most} components{way}; "
                + $"this rack has {Components.Count}");
        }

        if (RegionBytes is { } bytes && (bytes < LeastRegionBytes || bytes > MostRegionBytes || !BitOperations.IsPow2(bytes)))
        {
            throw ToolException.Usage($"a vRegion must be a power of two from {ByteSize.Format(LeastRegionBytes)} to "
                + $"{ByteSize.Format(MostRegionBytes)}, not {ByteSize.Format(bytes)}");
        }

        foreach (ComponentDescription component in Components)
        {
            component.Check();
        }

        if (Components.GroupBy(c => c.Name).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw ToolException.Usage($"two components are named '{twice.Key}'");
        }

        if (LossPercent is < 0 or > 100)
        {
            throw ToolException.Usage($"the loss must be 0 to 100 percent, not {LossPercent}");
        }

        if (LossPercent > 0 && Link != LinkKind.Ethernet)
        {
            throw ToolException.Usage("frames are lost on the ethernet link only; add --link ethernet");
        }
    }
}
