// The ring links of a rack: for every pair of machines one region file in /dev/shm and one socket pair as its doorbell. The files have
// names only until all machines have mapped them; the socket pairs have none. The ends of the component that starts programs stay open
// here, so that its machine can be started anew: the other machines notice nothing, and find it at the positions of the rings.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Microsoft.Win32.SafeHandles;

namespace Lego.Racks;

/// <summary>Makes the pairs' files and descriptors and hands each machine its ends.</summary>
internal sealed class RingPlan : IDisposable
{
    private readonly DescriptorPool _doorbells = new();
    private readonly Dictionary<(int Low, int High), (string Region, SocketPair Doorbell)> _pairs = [];
    private readonly Dictionary<(int Low, int High), SafeFileHandle> _kept = [];
    private readonly IReadOnlyList<ComponentDescription> _components;
    private readonly int _keptNode;

    /// <summary>Creates nothing when the rack's link is not ring.</summary>
    public RingPlan(RackDescription rack, RackDirectory directory)
    {
        _components = rack.Components;
        _keptNode = rack.StartingComponent.Node;
        if (rack.Link != LinkKind.Ring)
        {
            return;
        }

        foreach (ComponentDescription low in _components)
        {
            foreach (ComponentDescription high in _components.Where(c => c.Node > low.Node))
            {
                string region = Path.Combine(HostPaths.SharedMemory, $"lego-{directory.Id}-{low.Node}-{high.Node}");
                directory.Own(region);
                byte[] header = RingRegion.Header(low.Node, high.Node,
                    QemuCommandLine.DoorbellSlot(IndexOf(high, low)), QemuCommandLine.DoorbellSlot(IndexOf(low, high)));
                RingRegion.Create(region, header);
                _pairs[(low.Node, high.Node)] = (region, _doorbells.Add());
            }
        }
    }

    /// <summary>A component's ends, in the order of its peers' nodes.</summary>
    public IReadOnlyList<RingEnd> EndsOf(ComponentDescription component)
    {
        List<RingEnd> ends = new();
        foreach (ComponentDescription peer in _components.Where(c => c.Node != component.Node).OrderBy(c => c.Node))
        {
            bool isLow = component.Node < peer.Node;
            (int Low, int High) key = isLow ? (component.Node, peer.Node) : (peer.Node, component.Node);
            if (_pairs.TryGetValue(key, out (string Region, SocketPair Doorbell) pair))
            {
                string region = _kept.TryGetValue(key, out SafeFileHandle? open)
                    ? $"/proc/{Environment.ProcessId}/fd/{open.DangerousGetHandle()}" : pair.Region;
                ends.Add(new RingEnd(peer, region, isLow ? pair.Doorbell.First : pair.Doorbell.Second));
            }
        }

        return ends;
    }

    /// <summary>Closes the doorbells in this process, once every machine has inherited its own, but for those that are kept.</summary>
    public void CloseDescriptors()
    {
        foreach (((int low, int high), (_, SocketPair doorbell)) in _pairs)
        {
            doorbell.Close(first: low != _keptNode, second: high != _keptNode);
        }
    }

    /// <summary>Removes the regions' names, once every machine has mapped them.</summary>
    public void UnlinkRegions()
    {
        foreach (((int low, int high), (string region, _)) in _pairs)
        {
            if (low == _keptNode || high == _keptNode)
            {
                _kept[(low, high)] = File.OpenHandle(region, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            }

            File.Delete(region);
        }
    }

    /// <summary>Closes what is kept.</summary>
    public void Dispose()
    {
        _doorbells.Dispose();
        foreach (SafeFileHandle open in _kept.Values)
        {
            open.Dispose();
        }
    }

    // Which number a peer has among a component's peers; decides the PCI slots.
    private int IndexOf(ComponentDescription peer, ComponentDescription component) =>
        _components.Count(c => c.Node < peer.Node && c.Node != component.Node);
}

/// <summary>Socket pairs that are closed together.</summary>
internal sealed class DescriptorPool : IDisposable
{
    private readonly List<SocketPair> _pairs = [];

    public SocketPair Add()
    {
        SocketPair pair = new();
        _pairs.Add(pair);
        return pair;
    }

    public void Dispose()
    {
        foreach (SocketPair pair in _pairs)
        {
            pair.Dispose();
        }
    }
}
