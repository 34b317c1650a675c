// Packet endpoints (packet(7)): frames as they come and go, for tcpdump, arping and DHCP clients of the program's own.

using System;

namespace Lego.Kernel;

/// <summary>The protocol of packet endpoints.</summary>
public sealed unsafe class PacketSockets : FrameTap
{
    private readonly InterfaceTable _interfaces;
    private DatagramEndpoints? _endpoints;
    private LinkSender? _link;

    public PacketSockets(InterfaceTable interfaces)
    {
        _interfaces = interfaces;
    }

    /// <summary>What it sees and sends by; once, before there are endpoints.</summary>
    public void Attach(DatagramEndpoints endpoints, LinkSender link)
    {
        _endpoints = endpoints;
        _link = link;
    }

    /// <summary>Chooses frames: of one interface (0: all) and one type. ENODEV.</summary>
    public Errno Bind(DatagramEndpoint* endpoint, int interfaceIndex, ushort etherType)
    {
        if (interfaceIndex != 0 && !_interfaces.Exists(interfaceIndex))
        {
            return Errno.ENODEV;
        }

        endpoint->InterfaceIndex = interfaceIndex;
        endpoint->EtherType = etherType == 0 ? endpoint->EtherType : etherType;
        endpoint->IsBound = true;
        return Errno.None;
    }

    /// <summary>
    /// Sends a frame, or what goes into one. ENXIO without an interface, EINVAL for less than a header, EMSGSIZE, ENETDOWN, ENOBUFS.
    /// </summary>
    public Errno Send(DatagramEndpoint* endpoint, in DatagramSend send, ReadOnlySpan<byte> bytes)
    {
        int interfaceIndex = send.InterfaceIndex != 0 ? send.InterfaceIndex : endpoint->InterfaceIndex;
        if (!_interfaces.Exists(interfaceIndex))
        {
            return Errno.ENXIO;
        }

        bool isWhole = endpoint->Kind == DatagramKind.Frame;
        if (isWhole && bytes.Length < EthernetHeader.SizeBytes)
        {
            return Errno.EINVAL;
        }

        if (bytes.Length > _interfaces[interfaceIndex].MtuBytes + (isWhole ? EthernetHeader.SizeBytes : 0))
        {
            return Errno.EMSGSIZE;
        }

        if (isWhole)
        {
            return _link!.SendFrame(interfaceIndex, bytes, default, default);
        }

        Span<byte> head = stackalloc byte[EthernetHeader.SizeBytes];
        ushort etherType = send.EtherType == 0 ? endpoint->EtherType : send.EtherType;
        return _link!.Send(interfaceIndex, send.LinkAddress, etherType, head, bytes, default);
    }

    /// <summary>Shows a frame that has come.</summary>
    public void OnReceived(int interfaceIndex, ReadOnlySpan<byte> frame, LinkPacketType type) =>
        Show(interfaceIndex, frame, default, default, type);

    /// <inheritdoc/>
    public override void OnSent(int interfaceIndex, ReadOnlySpan<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        // What is sent on the loopback interface is seen when it comes, and once is enough, but Linux shows it twice.
        Show(interfaceIndex, head, a, b, LinkPacketType.Outgoing);

    private void Show(int interfaceIndex, ReadOnlySpan<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, LinkPacketType type)
    {
        if (_endpoints!.NextOther(null) == null || !EthernetHeader.TryParse(head, out EthernetHeader header))
        {
            return;
        }

        FilterView view = new()
        {
            Head = head,
            A = a,
            B = b,
            LinkStart = 0,
            NetworkStart = EthernetHeader.SizeBytes,
            EtherType = header.EtherType,
            LinkType = type,
            InterfaceIndex = interfaceIndex,
            HardwareType = _interfaces[interfaceIndex].HardwareType,
        };
        for (DatagramEndpoint* endpoint = _endpoints.NextOther(null); endpoint != null; endpoint = _endpoints.NextOther(endpoint))
        {
            bool isOfType = endpoint->EtherType == DatagramEndpoint.AllEtherTypes
                || (endpoint->EtherType == header.EtherType && type != LinkPacketType.Outgoing);
            if (endpoint->Kind is not (DatagramKind.Frame or DatagramKind.CookedFrame) || !isOfType
                || (endpoint->InterfaceIndex != 0 && endpoint->InterfaceIndex != interfaceIndex)
                || (type == LinkPacketType.Outgoing && endpoint->Has(DatagramOptions.IgnoreOutgoing)))
            {
                continue;
            }

            int start = endpoint->Kind == DatagramKind.Frame ? 0 : EthernetHeader.SizeBytes;
            ReadOnlySpan<byte> first = head.Slice(start);
            ReadOnlySpan<byte> second = a;
            ReadOnlySpan<byte> third = b;
            if (endpoint->Program != null)
            {
                view.Start = start;
                int most = endpoint->Program->Passing(in view, least: 0);
                if (most == 0)
                {
                    continue;
                }

                first = first.Slice(0, Math.Min(first.Length, most));
                second = a.Slice(0, Math.Min(a.Length, most - first.Length));
                third = b.Slice(0, Math.Min(b.Length, most - first.Length - second.Length));
            }

            Packet* packet = _endpoints.Offer(endpoint, first, second, third, out _);
            if (packet != null)
            {
                packet->InterfaceIndex = interfaceIndex;
                packet->EtherType = header.EtherType;
                packet->LinkAddress = header.Source;
                packet->LinkType = type;
            }
        }
    }
}
