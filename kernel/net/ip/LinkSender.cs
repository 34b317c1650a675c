// The last step of sending: a frame to a hardware address, onto a card or into the queue of the loopback interface. Frames of that
// queue, and what comes back to its sender from a group, are delivered by the stack's Poll and never within a send, so that nothing here
// is entered again.

using System;

namespace Lego.Kernel;

/// <summary>Sees frames that are sent; packet sockets do (packet(7)).</summary>
public abstract class FrameTap
{
    public abstract void OnSent(int interfaceIndex, ReadOnlySpan<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b);
}

/// <summary>Sends frames.</summary>
public sealed unsafe class LinkSender
{
    /// <summary>Frames that may wait on the loopback interface: a window of TCP's, and no more memory than that.</summary>
    private const int MaxLoopbackBytes = 2 * 1024 * 1024;

    private readonly FrameSink _sink;
    private readonly InterfaceTable _interfaces;
    private readonly PacketStore _packets;
    private readonly NetworkCounters _counters;
    private readonly FrameTap _tap;
    private PacketQueue _loopback;

    public LinkSender(FrameSink sink, InterfaceTable interfaces, PacketStore packets, NetworkCounters counters, FrameTap tap)
    {
        _sink = sink;
        _interfaces = interfaces;
        _packets = packets;
        _counters = counters;
        _tap = tap;
    }

    /// <summary>Whether <see cref="TakeLoopback"/> has something.</summary>
    public bool HasLoopback => !_loopback.IsEmpty;

    /// <summary>
    /// The oldest frame that comes back to this node, its InterfaceIndex set; the caller releases it. Null when there is none.
    /// </summary>
    public Packet* TakeLoopback() => _loopback.Take();

    /// <summary>Sends a packet behind an Ethernet header that is filled in here. ENETDOWN, ENOBUFS when the card has no room.</summary>
    /// <param name="interfaceIndex">Where.</param>
    /// <param name="hardwareAddress">To whom.</param>
    /// <param name="etherType">What.</param>
    /// <param name="head">Room for the Ethernet header, then the first bytes of the packet.</param>
    /// <param name="a">More bytes.</param>
    /// <param name="b">Still more.</param>
    public Errno Send(
        int interfaceIndex, ulong hardwareAddress, ushort etherType, Span<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        ref NetworkInterface to = ref _interfaces[interfaceIndex];
        EthernetHeader.Write(head, hardwareAddress, to.HardwareAddress, etherType);
        return SendFrame(interfaceIndex, head, a, b);
    }

    /// <summary>Sends a frame as it is.</summary>
    public Errno SendFrame(int interfaceIndex, ReadOnlySpan<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (!_interfaces.IsRunning(interfaceIndex))
        {
            return Errno.ENETDOWN;
        }

        ref NetworkInterface to = ref _interfaces[interfaceIndex];
        bool isSent = to.Kind == InterfaceKind.Loopback
            ? LoopBack(interfaceIndex, head, a, b)
            : _sink.Send(interfaceIndex, head, a, b);
        if (!isSent)
        {
            to.Counters.SendDrops++;
            return Errno.ENOBUFS;
        }

        to.Counters.SentPackets++;
        to.Counters.SentBytes += (ulong)(head.Length + a.Length + b.Length);
        _tap.OnSent(interfaceIndex, head, a, b);
        return Errno.None;
    }

    /// <summary>Queues a frame as if it had come in on an interface. False, and counted, when there is no room.</summary>
    public bool LoopBack(int interfaceIndex, ReadOnlySpan<byte> head, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Packet* packet = _loopback.SizeBytes < MaxLoopbackBytes ? _packets.Copy(head, a, b) : null;
        if (packet == null)
        {
            _counters.LoopbackDrops++;
            return false;
        }

        packet->InterfaceIndex = interfaceIndex;
        _loopback.Add(packet);
        return true;
    }
}
