// The networks of a rack as the user describes them: what its programs reach outside, by which kind of card, and what is recorded.

using System.Collections.Generic;

namespace Lego.Racks;

/// <summary>What the programs' cards are connected to.</summary>
public enum NetworkKind
{
    /// <summary>Nothing: programs have the loopback only.</summary>
    None,
    /// <summary>QEMU's user network: outbound through the host, inbound by published ports; needs no rights.</summary>
    User,
}

/// <summary>A network card that QEMU emulates.</summary>
public enum CardModel { Virtio, E1000 }

/// <summary>The networks of a rack.</summary>
public sealed record NetworkDescription
{
    /// <summary>What programs reach.</summary>
    public NetworkKind Kind { get; init; } = NetworkKind.User;
    /// <summary>The card that programs use.</summary>
    public CardModel Card { get; init; }
    /// <summary>The card that carries messages on an Ethernet link.</summary>
    public CardModel FabricCard { get; init; }
    /// <summary>Ports that the host can reach.</summary>
    public IReadOnlyList<PublishedPort> Published { get; init; } = [];
    /// <summary>Faults of the programs' wire; null for a sound one.</summary>
    public WireFaults? Wire { get; init; }
    /// <summary>File that gets the frames of the programs' card (pcap).</summary>
    public string? CapturePath { get; init; }
    /// <summary>File that gets the frames of the processor component's card on an Ethernet link.</summary>
    public string? FabricCapturePath { get; init; }
}
