// The control channel: the port named "control" of a virtio-serial device (virtio 1.2, 5.3, multiport). A pair of control queues tells
// which ports there are and whether somebody is attached at the host's end; each port has a receive and a transmit queue of its own. QEMU
// gives the first virtserialport the id 1 (0 is kept for a virtconsole); this driver sets up the queues of that one. Never blocks, never
// allocates after construction. Control messages come from the device: lengths and ids are checked, the rest ignored.

using System;
using System.Buffers.Binary;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>A virtio-serial port as a byte channel.</summary>
public sealed unsafe class VirtioConsole : ByteChannel
{
    public const ushort DeviceType = 3;

    private const ulong FeatureMultiport = 1UL << 1;
    private const uint PortId = 1;
    private const ushort ControlReceiveQueue = 2;
    private const ushort ControlTransmitQueue = 3;
    private const ushort PortReceiveQueue = (ushort)((2 * PortId) + 2);
    private const ushort PortTransmitQueue = (ushort)((2 * PortId) + 3);

    // Events of 5.3.6.2.
    private const ushort EventDeviceReady = 0;
    private const ushort EventPortAdd = 1;
    private const ushort EventPortRemove = 2;
    private const ushort EventPortReady = 3;
    private const ushort EventPortOpen = 6;
    private const ushort EventPortName = 7;
    /// <summary>le32 port id, le16 event, le16 value; a name follows PortName.</summary>
    private const int ControlBytes = 8;
    private const int ControlBufferBytes = 256;
    private const int ControlBuffers = PageOperations.PageSize / ControlBufferBytes;

    private const int Buffers = 16;
    private const int BufferBytes = PageOperations.PageSize;

    private readonly VirtioTransport _transport;
    private readonly VirtQueue _controlReceive;
    private readonly VirtQueue _controlTransmit;
    private readonly VirtQueue _receive;
    private readonly VirtQueue _transmit;
    private readonly byte* _controlIn;
    private readonly byte* _controlOut;
    private readonly byte* _in;
    private readonly byte* _out;
    private readonly ushort[] _freeOut = new ushort[Buffers];
    private readonly ushort[] _freeControl = new ushort[ControlBuffers];
    // Received buffers in the order of arrival, and their lengths.
    private readonly ushort[] _filled = new ushort[Buffers];
    private readonly int[] _filledBytes = new int[Buffers];
    private int _freeOutCount;
    private int _freeControlCount;
    private int _filledHead;
    private int _filledCount;
    private int _readBytes;
    private bool _open;
    private bool _connected;

    private VirtioConsole(VirtioTransport transport, VirtQueue controlReceive, VirtQueue controlTransmit, VirtQueue receive,
        VirtQueue transmit, byte* pages)
    {
        _transport = transport;
        _controlReceive = controlReceive;
        _controlTransmit = controlTransmit;
        _receive = receive;
        _transmit = transmit;
        _controlIn = pages;
        _controlOut = pages + BufferBytes;
        _in = pages + (2 * BufferBytes);
        _out = _in + (Buffers * BufferBytes);
        for (ushort buffer = 0; buffer < Buffers; buffer++)
        {
            _receive.TryAdd(PhysicalAddress.Of(InBuffer(buffer)), BufferBytes, BufferAccess.DeviceWrites, buffer);
            _freeOut[_freeOutCount++] = buffer;
        }

        for (ushort buffer = 0; buffer < ControlBuffers; buffer++)
        {
            OfferControl(buffer);
            _freeControl[_freeControlCount++] = buffer;
        }
    }

    public override bool Connected => _open && _connected;

    /// <summary>Sets the device up; null when it refuses or memory is short. Its user polls it and arms its wake-ups.</summary>
    public static VirtioConsole? Open(VirtioTransport transport, FrameAllocator frames)
    {
        Errno error = transport.Negotiate(FeatureMultiport | VirtioFeatures.EventIndex, out ulong agreed);
        if (error != Errno.None || (agreed & FeatureMultiport) == 0)
        {
            return null;
        }

        const ulong Pages = 2 + (2 * Buffers);
        byte* pages = (byte*)frames.AllocateContiguous(Pages);
        VirtQueue? controlReceive = OpenQueue(transport, ControlReceiveQueue, ControlBuffers, frames);
        VirtQueue? controlTransmit = OpenQueue(transport, ControlTransmitQueue, ControlBuffers, frames);
        VirtQueue? receive = OpenQueue(transport, PortReceiveQueue, Buffers, frames);
        VirtQueue? transmit = OpenQueue(transport, PortTransmitQueue, Buffers, frames);
        if (pages == null || controlReceive == null || controlTransmit == null || receive == null || transmit == null)
        {
            return null;
        }

        new Span<byte>(pages, (int)Pages * PageOperations.PageSize).Clear();
        VirtioConsole console = new(transport, controlReceive, controlTransmit, receive, transmit, pages);
        transport.Start();
        console._controlReceive.Publish();
        console._receive.Publish();
        console.SendControl(uint.MaxValue, EventDeviceReady, 1);
        return console;
    }

    public override int Write(ReadOnlySpan<byte> bytes)
    {
        ReclaimSent();
        int taken = 0;
        while (_open && taken < bytes.Length && _freeOutCount > 0)
        {
            ushort buffer = _freeOut[_freeOutCount - 1];
            int lengthBytes = Math.Min(bytes.Length - taken, BufferBytes);
            byte* start = _out + (buffer * BufferBytes);
            bytes.Slice(taken, lengthBytes).CopyTo(new Span<byte>(start, lengthBytes));
            if (!_transmit.TryAdd(PhysicalAddress.Of(start), (uint)lengthBytes, BufferAccess.DeviceReads, buffer))
            {
                break;
            }

            _freeOutCount--;
            taken += lengthBytes;
        }

        _transmit.Publish();
        return taken;
    }

    public override int Read(Span<byte> bytes)
    {
        TakeReceived();
        int moved = 0;
        while (moved < bytes.Length && _filledCount > 0)
        {
            ushort buffer = _filled[_filledHead];
            Span<byte> received = new(InBuffer(buffer) + _readBytes, _filledBytes[_filledHead] - _readBytes);
            int count = Math.Min(received.Length, bytes.Length - moved);
            received[..count].CopyTo(bytes[moved..]);
            moved += count;
            _readBytes += count;
            if (count == received.Length)
            {
                _readBytes = 0;
                _filledHead = (_filledHead + 1) % Buffers;
                _filledCount--;
                _receive.TryAdd(PhysicalAddress.Of(InBuffer(buffer)), BufferBytes, BufferAccess.DeviceWrites, buffer);
            }
        }

        _receive.Publish();
        return moved;
    }

    /// <summary>True when bytes arrived, room to write came back, or the far end came or went.</summary>
    public override bool Poll()
    {
        bool any = TakeControl();
        any |= ReclaimSent();
        any |= TakeReceived();
        if (_controlReceive.Broken || _controlTransmit.Broken || _receive.Broken || _transmit.Broken)
        {
            _open = false;
            _transport.Reset();
        }

        return any;
    }

    public override void ArmWakeup()
    {
        _controlReceive.EnableInterrupt();
        _receive.EnableInterrupt();
        _transmit.EnableInterrupt();
    }

    public override void DisarmWakeup()
    {
        _controlReceive.DisableInterrupt();
        _receive.DisableInterrupt();
        _transmit.DisableInterrupt();
    }

    /// <summary>A queue with room for all buffers, or null.</summary>
    private static VirtQueue? OpenQueue(VirtioTransport transport, ushort number, ushort size, FrameAllocator frames)
    {
        VirtQueue? queue = transport.OpenQueue(number, size, frames);
        return queue != null && queue.Size == size ? queue : null;
    }

    private byte* InBuffer(int buffer) => _in + (buffer * BufferBytes);

    private void OfferControl(ushort buffer) =>
        _controlReceive.TryAdd(PhysicalAddress.Of(_controlIn + (buffer * ControlBufferBytes)), ControlBufferBytes,
            BufferAccess.DeviceWrites, buffer);

    private bool TakeReceived()
    {
        bool any = false;
        while (_receive.TryTake(out uint buffer, out uint lengthBytes))
        {
            int tail = (_filledHead + _filledCount) % Buffers;
            _filled[tail] = (ushort)buffer;
            _filledBytes[tail] = (int)lengthBytes;
            _filledCount++;
            any = true;
        }

        return any;
    }

    private bool ReclaimSent()
    {
        bool any = false;
        while (_transmit.TryTake(out uint buffer, out _))
        {
            _freeOut[_freeOutCount++] = (ushort)buffer;
            any = true;
        }

        while (_controlTransmit.TryTake(out uint buffer, out _))
        {
            _freeControl[_freeControlCount++] = (ushort)buffer;
        }

        return any;
    }

    private bool TakeControl()
    {
        bool any = false;
        while (_controlReceive.TryTake(out uint buffer, out uint lengthBytes))
        {
            HandleControl(new ReadOnlySpan<byte>(_controlIn + (buffer * ControlBufferBytes), (int)lengthBytes));
            OfferControl((ushort)buffer);
            any = true;
        }

        _controlReceive.Publish();
        return any;
    }

    private void HandleControl(ReadOnlySpan<byte> message)
    {
        if (message.Length < ControlBytes || BinaryPrimitives.ReadUInt32LittleEndian(message) != PortId)
        {
            return;
        }

        ushort value = BinaryPrimitives.ReadUInt16LittleEndian(message[6..]);
        switch (BinaryPrimitives.ReadUInt16LittleEndian(message[4..]))
        {
            case EventPortAdd:
                SendControl(PortId, EventPortReady, 1);
                break;
            case EventPortName when IsControl(message[ControlBytes..]):
                _open = true;
                SendControl(PortId, EventPortOpen, 1);
                break;
            case EventPortOpen:
                _connected = value != 0;
                break;
            case EventPortRemove:
                _open = false;
                break;
            default:
                break;
        }
    }

    /// <summary>Devices may end the name with a zero byte.</summary>
    private static bool IsControl(ReadOnlySpan<byte> name)
    {
        ReadOnlySpan<byte> wanted = "control"u8;
        return name.StartsWith(wanted) && (name.Length == wanted.Length || name[wanted.Length] == 0);
    }

    /// <summary>A device that takes no control messages gets none; the channel then stays closed.</summary>
    private void SendControl(uint port, ushort kind, ushort value)
    {
        if (_freeControlCount == 0)
        {
            return;
        }

        ushort buffer = _freeControl[_freeControlCount - 1];
        byte* start = _controlOut + (buffer * ControlBufferBytes);
        Span<byte> message = new(start, ControlBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(message, port);
        BinaryPrimitives.WriteUInt16LittleEndian(message[4..], kind);
        BinaryPrimitives.WriteUInt16LittleEndian(message[6..], value);
        if (_controlTransmit.TryAdd(PhysicalAddress.Of(start), ControlBytes, BufferAccess.DeviceReads, buffer))
        {
            _freeControlCount--;
            _controlTransmit.Publish();
        }
    }
}
