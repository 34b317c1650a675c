// What a network card is for. The rack tool chooses the addresses of cards by it (tools/rack/machines/CardArguments.cs), so that nobody has
// to guess by the order of PCI slots: 52:54:00:4c:00:NODE carries messages, 52:54:00:4c:01:NODE is the programs'.

namespace Lego.Kernel;

/// <summary>Who uses a card.</summary>
public enum CardRole : byte
{
    /// <summary>Nobody that we know.</summary>
    None,
    /// <summary>The ethernet link.</summary>
    Fabric,
    /// <summary>The TCP/IP stack of the programs.</summary>
    Programs,
}

/// <summary>Addresses as numbers: first byte on the wire in bits 40 to 47.</summary>
public static class CardAddress
{
    /// <summary>The ethernet link's card of node 0; the node is the last byte.</summary>
    public const ulong FabricBase = 0x5254004C0000;

    private const ulong ProgramsBase = 0x5254004C0100;
    private const ulong NodeMask = 0xFF;

    public static CardRole RoleOf(ulong address) => (address & ~NodeMask) switch
    {
        FabricBase => CardRole.Fabric,
        ProgramsBase => CardRole.Programs,
        _ => CardRole.None,
    };
}
