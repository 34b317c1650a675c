// Network card (virtio 1.2, 5.1). Frames are copied into and out of buffers made at boot: 64 to receive, 32 to send, each as long as the
// longest frame (jumbo when the device offers an MTU). A buffer is cleared once its frame is done with, sent or released, because frames
// carry pages of programs, and a page of a program must not stay behind in a processor component's memory.
// Never blocks, never allocates after construction. No interrupts while the machine polls; ArmWakeup asks for one.

using System;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>A virtio network card.</summary>
public sealed unsafe class VirtioNet : NetDevice
{
    public const ushort DeviceType = 1;

    private const ulong FeatureMtu = 1UL << 3;
    private const ulong FeatureMac = 1UL << 5;
    private const ulong FeatureStatus = 1UL << 16;
    private const ulong FeatureControlQueue = 1UL << 17;
    private const ulong FeatureControlReceive = 1UL << 18;
    private const int MacOffset = 0;
    private const int MacBytes = 6;
    private const int StatusOffset = 6;
    private const ushort StatusLinkUp = 1;
    private const int MtuOffset = 10;
    private const ushort ReceiveQueue = 0;
    private const ushort TransmitQueue = 1;
    private const ushort ControlQueue = 2;
    // virtio_net_ctrl, 5.1.6.5: class, command, data; then a byte that the device writes.
    private const byte ControlClassReceive = 0;
    private const byte ControlReceivePromiscuous = 0;
    private const byte ControlReceiveAllMulticast = 1;
    private const int ControlRequestBytes = 3;
    /// <summary>Two requests of two pieces.</summary>
    private const int ControlQueueEntries = 4;

    /// <summary>
    /// virtio_net_hdr with num_buffers (5.1.6): all zero to send, without meaning for us on receipt, as no offload is negotiated.
    /// </summary>
    private const int HeaderBytes = 12;
    /// <summary>Unused bytes in front of the device's header, so that frames begin 16-byte aligned and page copies stay fast.</summary>
    private const int PadBytes = 4;
    private const int FrameOffset = PadBytes + HeaderBytes;
    private const int EthernetHeaderBytes = 14;
    private const int DefaultMtu = 1500;
    private const int MinMtu = 68;
    private const int MaxMtu = 9000;
    private const int ReceiveBuffers = 64;
    private const int TransmitBuffers = 32;
    private const int CacheLineBytes = 64;
    private const int NoBuffer = -1;

    private readonly VirtioTransport _transport;
    private readonly VirtQueue _receive;
    private readonly VirtQueue _transmit;
    private readonly byte* _receiveMemory;
    private readonly byte* _transmitMemory;
    private readonly int _strideBytes;
    private readonly int _transmitBuffers;
    private readonly bool _hasStatus;
    private readonly ushort[] _freeTransmit;
    private readonly int[] _transmitBytes;
    private int _freeTransmitCount;
    private int _lent = NoBuffer;
    private int _lentBytes;
    private ulong _framesSent;
    private ulong _framesReceived;
    private ulong _framesRefused;

    private VirtioNet(VirtioTransport transport, VirtQueue receive, VirtQueue transmit, int mtu, ulong macAddress, bool hasStatus,
        FrameAllocator frames)
    {
        _transport = transport;
        _receive = receive;
        _transmit = transmit;
        MacAddress = macAddress;
        _hasStatus = hasStatus;
        MaxFrameBytes = mtu + EthernetHeaderBytes;
        _strideBytes = (FrameOffset + MaxFrameBytes + CacheLineBytes - 1) & ~(CacheLineBytes - 1);
        int receiveBuffers = Math.Min(ReceiveBuffers, (int)receive.Size);
        _transmitBuffers = Math.Min(TransmitBuffers, (int)transmit.Size);
        _receiveMemory = AllocateBuffers(frames, receiveBuffers);
        _transmitMemory = AllocateBuffers(frames, _transmitBuffers);
        _freeTransmit = new ushort[_transmitBuffers];
        _transmitBytes = new int[_transmitBuffers];
        for (int buffer = 0; buffer < _transmitBuffers; buffer++)
        {
            _freeTransmit[_freeTransmitCount++] = (ushort)buffer;
        }

        for (int buffer = 0; buffer < receiveBuffers; buffer++)
        {
            Offer(buffer);
        }
    }

    public override ulong MacAddress { get; }

    public override int MaxFrameBytes { get; }

    public override bool HasLink => !_hasStatus || (_transport.Configuration16(StatusOffset) & StatusLinkUp) != 0;

    /// <summary>Sets the card up; null when the device refuses or memory is short.</summary>
    public static VirtioNet? Open(VirtioTransport transport, FrameAllocator frames)
    {
        const ulong Filtering = FeatureControlQueue | FeatureControlReceive;
        if (transport.Negotiate(FeatureMtu | FeatureMac | FeatureStatus | Filtering | VirtioFeatures.EventIndex,
            out ulong agreed) != Errno.None)
        {
            return null;
        }

        VirtQueue? receive = transport.OpenQueue(ReceiveQueue, ReceiveBuffers, frames);
        VirtQueue? transmit = transport.OpenQueue(TransmitQueue, TransmitBuffers, frames);
        if (receive == null || transmit == null)
        {
            return null;
        }

        int mtu = (agreed & FeatureMtu) != 0 ? transport.Configuration16(MtuOffset) : DefaultMtu;
        ulong macAddress = 0;
        for (int index = 0; index < MacBytes && (agreed & FeatureMac) != 0; index++)
        {
            macAddress = (macAddress << 8) | transport.Configuration8(MacOffset + index);
        }

        bool hasStatus = (agreed & FeatureStatus) != 0;
        VirtioNet card = new(transport, receive, transmit, Math.Max(MinMtu, Math.Min(mtu, MaxMtu)), macAddress, hasStatus, frames);
        if (card._receiveMemory == null || card._transmitMemory == null)
        {
            return null;
        }

        VirtQueue? control = (agreed & Filtering) == Filtering ? transport.OpenQueue(ControlQueue, ControlQueueEntries, frames) : null;
        transport.Start();
        receive.Publish();
        if (control != null)
        {
            FilterReceived(control, (byte*)frames.AllocateCleared());
        }

        return card;
    }

    public override bool TrySend(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c)
    {
        if (_freeTransmitCount == 0)
        {
            ReclaimSent();
        }

        long frameBytes = (long)a.Length + b.Length + c.Length;
        if (_freeTransmitCount == 0 || frameBytes > MaxFrameBytes || frameBytes < EthernetHeaderBytes)
        {
            return false;
        }

        ushort buffer = _freeTransmit[_freeTransmitCount - 1];
        byte* frame = TransmitFrame(buffer);
        a.CopyTo(new Span<byte>(frame, a.Length));
        b.CopyTo(new Span<byte>(frame + a.Length, b.Length));
        c.CopyTo(new Span<byte>(frame + a.Length + b.Length, c.Length));
        uint lengthBytes = HeaderBytes + (uint)frameBytes;
        if (!_transmit.TryAdd(PhysicalAddress.Of(frame - HeaderBytes), lengthBytes, BufferAccess.DeviceReads, buffer))
        {
            return false;
        }

        _freeTransmitCount--;
        _transmitBytes[buffer] = (int)frameBytes;
        _framesSent++;
        _transmit.Publish();
        return true;
    }

    public override bool TryReceive(out ReadOnlySpan<byte> frame)
    {
        while (_lent == NoBuffer)
        {
            if (!_receive.TryTake(out uint buffer, out uint writtenBytes))
            {
                ReclaimSent();
                frame = default;
                return false;
            }

            _lent = (int)buffer;
            _lentBytes = (int)writtenBytes - HeaderBytes;
            if (_lentBytes < EthernetHeaderBytes || _lentBytes > MaxFrameBytes)
            {
                _framesRefused++;
                ReleaseReceived();
            }
        }

        frame = new ReadOnlySpan<byte>(ReceiveFrame(_lent), _lentBytes);
        return true;
    }

    public override void ReleaseReceived()
    {
        if (_lent == NoBuffer)
        {
            return;
        }

        _framesReceived++;
        new Span<byte>(ReceiveFrame(_lent), Math.Max(_lentBytes, 0)).Clear();
        Offer(_lent);
        _lent = NoBuffer;
        _receive.Publish();
    }

    /// <summary>
    /// Clears and takes back what has been sent, as TryReceive does when nothing has come. Received frames are the link's to fetch.
    /// </summary>
    public override bool Poll() => ReclaimSent();

    public override void ArmWakeup()
    {
        ReclaimSent();
        _receive.EnableInterrupt();
        if (_freeTransmitCount == 0)
        {
            _transmit.EnableInterrupt();
        }
    }

    public override void DisarmWakeup()
    {
        _receive.DisableInterrupt();
        _transmit.DisableInterrupt();
    }

    public override void Report(ReadOnlySpan<byte> prefix, ref StatisticsWriter writer)
    {
        writer.Add(prefix, "frames_sent"u8, _framesSent);
        writer.Add(prefix, "frames_received"u8, _framesReceived);
        writer.Add(prefix, "frames_refused"u8, _framesRefused);
    }

    /// <summary>
    /// Cards start out receiving everything. On a segment that floods, that would wake this machine for its neighbours' frames. Multicast
    /// stays, which IPv6 cannot do without. Nobody waits for the answers: a device that goes on delivering everything costs time and
    /// nothing else, since whoever uses the card drops what is not for it.
    /// </summary>
    private static void FilterReceived(VirtQueue control, byte* requests)
    {
        if (requests != null)
        {
            Request(control, requests, ControlReceivePromiscuous, 0);
            Request(control, requests + ControlRequestBytes + 1, ControlReceiveAllMulticast, 1);
            control.Publish();
        }
    }

    private static void Request(VirtQueue control, byte* request, byte command, byte value)
    {
        request[0] = ControlClassReceive;
        request[1] = command;
        request[2] = value;
        ulong address = PhysicalAddress.Of(request);
        ReadOnlySpan<QueueBuffer> pieces =
        [
            new QueueBuffer(address, ControlRequestBytes, BufferAccess.DeviceReads),
            new QueueBuffer(address + ControlRequestBytes, 1, BufferAccess.DeviceWrites),
        ];
        control.TryAdd(pieces, 0);
    }

    private byte* AllocateBuffers(FrameAllocator frames, int count)
    {
        ulong pages = (((ulong)count * (ulong)_strideBytes) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        byte* memory = (byte*)frames.AllocateContiguous(pages);
        for (ulong page = 0; memory != null && page < pages; page++)
        {
            PageOperations.Clear(memory + (page * PageOperations.PageSize));
        }

        return memory;
    }

    private byte* ReceiveFrame(int buffer) => _receiveMemory + ((long)buffer * _strideBytes) + FrameOffset;

    private byte* TransmitFrame(int buffer) => _transmitMemory + ((long)buffer * _strideBytes) + FrameOffset;

    private void Offer(int buffer)
    {
        if (_receiveMemory != null)
        {
            uint lengthBytes = (uint)(_strideBytes - PadBytes);
            _receive.TryAdd(PhysicalAddress.Of(ReceiveFrame(buffer) - HeaderBytes), lengthBytes, BufferAccess.DeviceWrites, (uint)buffer);
        }
    }

    private bool ReclaimSent()
    {
        bool any = false;
        while (_transmit.TryTake(out uint buffer, out _))
        {
            new Span<byte>(TransmitFrame((int)buffer), _transmitBytes[buffer]).Clear();
            _freeTransmit[_freeTransmitCount++] = (ushort)buffer;
            any = true;
        }

        StopIfBroken();
        return any;
    }

    /// <summary>A device that broke a ring's rules must not write into memory any more.</summary>
    private void StopIfBroken()
    {
        if (_receive.Broken || _transmit.Broken)
        {
            _transport.Reset();
        }
    }
}
