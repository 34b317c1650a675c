// Finds the links to the other components: link=ring takes the shared regions whose headers name this node, each with the doorbell that its
// header points at; link=ethernet puts every peer on the first network card. Boot time only. A peer without a link panics: a component
// that nobody can reach is a broken rack file, and the rack tool shows the log line before.
//
// Faults on demand (ethernet only): drop=, duplicate=, hold=, corrupt= in thousandths of frames, seed= for the schedule.

using System;
using Lego.Common;
using Lego.Drivers;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Boot;

/// <summary>Attaches peers to an endpoint.</summary>
public static class RackLinks
{
    /// <summary>A round trip and a half between idle hosts.</summary>
    private const ulong EthernetPollingNs = 100_000;

    /// <summary>Attaches every peer of the list.</summary>
    public static void Join(RpcEndpoint endpoint, DeviceSet devices, ushort node, ReadOnlySpan<byte> peers, FrameAllocator frames)
    {
        Link? ethernet = BootArguments.Is("link"u8, "ethernet"u8) ? OpenEthernet(devices, node, frames) : null;
        PeerList list = new(peers);
        while (list.Next(out ComponentKind kind, out ushort peer))
        {
            Link? link = ethernet ?? OpenRing(devices, node, peer);
            if (link == null)
            {
                Log.Error($"no link to {ComponentNames.Of(kind)} node {(int)peer}");
                Panic.Because("RackLinks.Join: a peer cannot be reached");
            }

            endpoint.Attach(peer, link!);
        }

        if (list.Malformed)
        {
            Panic.Because("RackLinks.Join: peers= on the boot line is not a list of kind:node pairs");
        }
    }

    private static Link? OpenEthernet(DeviceSet devices, ushort node, FrameAllocator frames)
    {
        NetDevice? card = devices.CardFor(CardRole.Fabric);
        if (card == null)
        {
            Panic.Because("RackLinks: link=ethernet without a network card for it (address 52:54:00:4c:00:NODE)");
        }

        Poller.Register(card!);
        SpinBudget.LimitTo(EthernetPollingNs);
        EthernetLink link = new(card!, node);
        LossRates rates = new()
        {
            Drop = (uint)BootArguments.GetNumber("drop"u8, 0),
            Duplicate = (uint)BootArguments.GetNumber("duplicate"u8, 0),
            Hold = (uint)BootArguments.GetNumber("hold"u8, 0),
            Corrupt = (uint)BootArguments.GetNumber("corrupt"u8, 0),
        };
        bool faulty = (rates.Drop | rates.Duplicate | rates.Hold | rates.Corrupt) != 0;
        return faulty ? new LossyLink(link, rates, BootArguments.GetNumber("seed"u8, node), frames) : link;
    }

    private static Link? OpenRing(DeviceSet devices, ushort node, ushort peer)
    {
        for (int index = 0; index < devices.RegionCount; index++)
        {
            SharedRegion region = devices.Region(index);
            if (RingRegionHeader.TryRead(region, out RingRegionHeader header) != Errno.None)
            {
                continue;
            }

            bool low = header.NodeLow == node && header.NodeHigh == peer;
            bool high = header.NodeHigh == node && header.NodeLow == peer;
            if (!low && !high)
            {
                continue;
            }

            Doorbell? doorbell = devices.DoorbellInSlot(low ? header.DoorbellSlotLow : header.DoorbellSlotHigh);
            return RingLink.Open(region, node, doorbell, LinkTraits.None, out RingLink? link) == Errno.None ? link : null;
        }

        return null;
    }
}
