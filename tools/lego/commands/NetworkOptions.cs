// The options about the networks of a rack (part of RackOptions).

using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;

namespace Lego.Tool;

/// <summary>Adds the options and reads them.</summary>
internal sealed class NetworkOptions
{
    private readonly Option<string?> _network = new("--network")
    {
        Description = "What programs reach: user (default: the outside through this host) or none.",
        HelpName = "user|none",
    };
    private readonly Option<string?> _card = new("--nic")
    {
        Description = "The programs' network card: virtio (default) or e1000.",
        HelpName = "virtio|e1000",
    };
    private readonly Option<string?> _fabricCard = new("--fabric-nic")
    {
        Description = "The card of link ethernet: virtio (default) or e1000.",
        HelpName = "virtio|e1000",
    };
    private readonly Option<string[]> _publish = new("--publish")
    {
        Description = "Make a port of the rack's programs reachable on this host (address 127.0.0.1 unless given). Repeatable.",
        HelpName = "[ADDRESS:]HOSTPORT:PORT[/udp]",
        AllowMultipleArgumentsPerToken = false,
    };
    private readonly Option<string?> _wire = new("--wire")
    {
        Description = "Faults of the programs' wire, for example loss=1%,delay=5ms,reorder=2%,duplicate=1%,corrupt=0.1%,rate=10M.",
        HelpName = "FAULTS",
    };
    private readonly Option<string?> _capture = new("--pcap")
    {
        Description = "Record the frames of the programs' card.",
        HelpName = "FILE",
    };
    private readonly Option<string?> _fabricCapture = new("--fabric-pcap")
    {
        Description = "Record the frames of the processor component's card on link ethernet.",
        HelpName = "FILE",
    };

    public IReadOnlyList<Option> All => [_network, _card, _fabricCard, _publish, _wire, _capture, _fabricCapture];

    /// <summary>The networks that the options describe, from those of a rack file or the default.</summary>
    public NetworkDescription Read(ParseResult result, NetworkDescription network)
    {
        if (result.GetValue(_network) is { } kind)
        {
            network = network with { Kind = RackFile.ParseEnum<NetworkKind>(kind, "--network") };
        }

        if (result.GetValue(_card) is { } card)
        {
            network = network with { Card = RackFile.ParseEnum<CardModel>(card, "--nic") };
        }

        if (result.GetValue(_fabricCard) is { } fabricCard)
        {
            network = network with { FabricCard = RackFile.ParseEnum<CardModel>(fabricCard, "--fabric-nic") };
        }

        return network with
        {
            Published = [.. network.Published, .. (result.GetValue(_publish) ?? []).Select(text => PublishedPort.Parse(text, "--publish"))],
            Wire = result.GetValue(_wire) is { } wire ? WireFaults.Parse(wire, "--wire") : network.Wire,
            CapturePath = FullPath(result.GetValue(_capture)) ?? network.CapturePath,
            FabricCapturePath = FullPath(result.GetValue(_fabricCapture)) ?? network.FabricCapturePath,
        };
    }

    /// <summary>Whether records can be written. QEMU would say it in its own words, after the rack has been built.</summary>
    public static void CheckFiles(NetworkDescription network)
    {
        OutputFile.Check(network.CapturePath, "--pcap");
        OutputFile.Check(network.FabricCapturePath, "--fabric-pcap");
    }

    private static string? FullPath(string? path) => string.IsNullOrEmpty(path) ? path : Path.GetFullPath(path);
}
