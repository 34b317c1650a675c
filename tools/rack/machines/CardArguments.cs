// QEMU's arguments for the network cards of one machine. A card's address says what it is for, so that an image never has to guess by the
// order of its slots: 52:54:00:4c:00:NODE carries messages (Ethernet link), 52:54:00:4c:01:NODE is the programs'.
//
// The programs' card is in slot 6 because its interrupt pin, which an e1000 has to use, is then shared with no doorbell (PIIX3: slots of
// equal remainder by four share a line).

using System.Collections.Generic;

namespace Lego.Racks;

/// <summary>Builds the arguments.</summary>
internal static class CardArguments
{
    public const int FabricSlot = 5;
    public const int ProgramsSlot = 6;
    /// <summary>Names of the two -netdev, also for QEMU's monitor.</summary>
    public const string FabricName = "segment";
    public const string ProgramsName = "programs";
    /// <summary>MTU of the link: one 4 KB page and its headers fit one frame.</summary>
    public const int JumboMtu = 9000;
    private const int FabricRole = 0;
    private const int ProgramsRole = 1;

    /// <summary>What the user network gives to its first machine (qemu(1), -netdev user).</summary>
    public const string UserAddress = "10.0.2.15";
    public const string UserNetmask = "255.255.255.0";
    private const int UserPrefixBits = 24;
    /// <summary>The way out of it, and the host itself.</summary>
    public const string UserRouter = "10.0.2.2";
    /// <summary>Where the user network answers for the host's name servers.</summary>
    public const string UserNameServer = "10.0.2.3";

    /// <summary>The card that carries messages; <paramref name="backend"/> is FrameSwitch's.</summary>
    public static IEnumerable<string> Fabric(NetworkDescription network, ComponentDescription component, string backend)
    {
        string card = $"{Model(network.FabricCard, $",host_mtu={JumboMtu}")},addr={FabricSlot:x},netdev={FabricName},"
            + $"mac={MacAddress(component, FabricRole)},romfile=";
        string[] arguments = ["-netdev", $"{backend},id={FabricName}", "-device", card];
        return [.. arguments, .. component.HasExCache ? Capture(FabricName, network.FabricCapturePath) : []];
    }

    /// <summary>
    /// The programs' card, for the machines that run programs; <paramref name="wire"/> are WireForwarder's arguments. Each machine has a
    /// user network of its own, and so the same address in it as the others.
    /// </summary>
    public static IEnumerable<string> Programs(NetworkDescription network, ComponentDescription component, IEnumerable<string> wire)
    {
        if (!IsConnected(network, component))
        {
            return [];
        }

        string card =
            $"{Model(network.Card, "")},addr={ProgramsSlot:x},netdev={ProgramsName},mac={MacAddress(component, ProgramsRole)},romfile=";
        // The last filter is next to the card: what is recorded is what the card sees.
        return ["-netdev", $"user,id={ProgramsName}", "-device", card, .. wire, .. Capture(ProgramsName, network.CapturePath)];
    }

    /// <summary>Words of the boot line about the programs' card.</summary>
    public static IEnumerable<string> BootWords(NetworkDescription network, ComponentDescription component) =>
        IsConnected(network, component) ? [$"address={UserAddress}/{UserPrefixBits},{UserRouter}"] : [];

    /// <summary>Whether a machine has a card for programs.</summary>
    public static bool IsConnected(NetworkDescription network, ComponentDescription component) =>
        network.Kind == NetworkKind.User && component.HasExCache;

    // An e1000's interrupts are delayed by QEMU unless it is told otherwise: half a millisecond for whoever sleeps until one comes.
    private static string Model(CardModel card, string virtioProperties) =>
        card == CardModel.Virtio ? $"virtio-net-pci,disable-legacy=on{virtioProperties}" : "e1000,mitigation=off";

    private static string MacAddress(ComponentDescription component, int role) => $"52:54:00:4c:{role:x2}:{component.Node:x2}";

    private static string[] Capture(string network, string? path) =>
        path is null ? [] : ["-object", $"filter-dump,id={network}-capture,netdev={network},file={QemuCommandLine.Escape(path)}"];
}
