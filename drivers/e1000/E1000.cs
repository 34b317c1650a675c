// Intel 82540EM, QEMU's e1000 (Intel 317453: receive 3.2, transmit 3.3, interrupts 13.4.17 on, initialization 14). Frames are copied into
// and out of buffers made at boot, one per descriptor, each as long as the longest frame; a buffer is cleared once its frame is done
// with, because frames carry pages of programs. Never blocks, never allocates after construction.
//
// Each access to a register costs a microsecond or more under emulation, so completion is read from the descriptors in memory, freed
// receive descriptors are given back several at a time, and the interrupt is left alone while the machine polls: the first one that comes
// masks itself, and ArmWakeup unmasks it. The card has one INTx pin, whose handler must read the cause for the line to be let go.

using System;
using System.Threading;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>An e1000 network card.</summary>
public sealed unsafe class E1000 : NetDevice
{
    public const ushort VendorId = 0x8086;
    public const ushort DeviceId = 0x100E;

    private const int RegisterBar = 0;
    private const int EthernetHeaderBytes = 14;
    private const int StandardMtu = 1500;
    /// <summary>Largest MTU that it is opened with: a page and its headers fit one frame.</summary>
    public const int JumboMtu = 9000;
    private const int StandardBufferBytes = 2048;
    private const int JumboBufferBytes = 16384;
    private const int DescriptorBytes = 16;
    /// <summary>
    /// Enough for a hundred clients that say two things each: when descriptors are given back, QEMU passes on what waits for them, and
    /// what then finds none is lost (qemu_net_queue_flush with e1000_receive_iov).
    /// </summary>
    private const int StandardReceiveDescriptors = 256;
    private const int JumboReceiveDescriptors = 64;
    private const int TransmitDescriptors = 32;
    /// <summary>The part of the descriptors that is given back with one access.</summary>
    private const int ReturnShare = 8;
    private const int ResetAttempts = 1_000_000;
    private const int MacBytes = 6;
    private const int NotLent = -1;

    private const byte ReceivedDone = 1 << 0;
    private const byte ReceivedEndOfFrame = 1 << 1;
    /// <summary>CRC, symbol, sequence, carrier and data errors; those of checksums are the stack's to find (3.2.3.2).</summary>
    private const byte ReceivedErrors = 0x97;
    private const byte CommandEndOfFrame = 1 << 0;
    private const byte CommandInsertChecksum = 1 << 1;
    private const byte CommandReportStatus = 1 << 3;
    private const byte TransmitDone = 1 << 0;

    private const uint Causes = E1000Bits.CauseReceived | E1000Bits.CauseOverrun | E1000Bits.CauseFewBuffers | E1000Bits.CauseLinkChanged;

    private readonly E1000Registers _registers;
    private readonly ReceiveDescriptor* _receive;
    private readonly TransmitDescriptor* _transmit;
    private readonly byte* _receiveMemory;
    private readonly byte* _transmitMemory;
    private readonly int _bufferBytes;
    private readonly int _receiveDescriptors;
    private readonly int[] _transmitBytes = new int[TransmitDescriptors];
    private int _receiveNext;
    private int _unreturned;
    private int _transmitNext;
    private int _transmitOldest;
    private int _lentBytes = NotLent;
    private bool _isMasked = true;
    private ulong _framesSent;
    private ulong _framesReceived;
    private ulong _framesRefused;

    private E1000(E1000Registers registers, ulong macAddress, int mtu, byte* memory)
    {
        _registers = registers;
        MacAddress = macAddress;
        MaxFrameBytes = mtu + EthernetHeaderBytes;
        _bufferBytes = BufferBytes(mtu);
        _receiveDescriptors = ReceiveDescriptors(mtu);
        _receive = (ReceiveDescriptor*)memory;
        _transmit = (TransmitDescriptor*)(_receive + _receiveDescriptors);
        _receiveMemory = memory + (DescriptorPages(mtu) * PageOperations.PageSize);
        _transmitMemory = _receiveMemory + ((long)_receiveDescriptors * _bufferBytes);
        for (int index = 0; index < _receiveDescriptors; index++)
        {
            _receive[index].Address = PhysicalAddress.Of(ReceiveBuffer(index));
        }

        for (int index = 0; index < TransmitDescriptors; index++)
        {
            _transmit[index].Address = PhysicalAddress.Of(TransmitBuffer(index));
        }
    }

    /// <summary>Legacy receive descriptor, 3.2.3.</summary>
    private struct ReceiveDescriptor
    {
        internal ulong Address;
        internal ushort LengthBytes;
        internal ushort Checksum;
        internal byte Status;
        internal byte Errors;
        internal ushort Special;
    }

    /// <summary>Legacy transmit descriptor, 3.3.3.</summary>
    private struct TransmitDescriptor
    {
        internal ulong Address;
        internal ushort LengthBytes;
        internal byte ChecksumOffset;
        internal byte Command;
        internal byte Status;
        internal byte ChecksumStart;
        internal ushort Special;
    }

    public override ulong MacAddress { get; }

    public override int MaxFrameBytes { get; }

    public override bool HasLink => (_registers.Read(E1000Register.Status) & E1000Bits.StatusLinkUp) != 0;

    /// <summary>Sets up the card on the bus; null when it refuses or memory is short.</summary>
    public static E1000? Open(in PciFunction function, InterruptLines lines, FrameAllocator frames)
    {
        function.Enable();
        PciBar bar = function.Bar(RegisterBar);
        if (bar.Kind != PciBarKind.Memory || !bar.Contains(0, E1000Register.WindowBytes))
        {
            return null;
        }

        E1000? card = Open(new MappedE1000Registers((byte*)DeviceMemory.Map(bar.Base, bar.LengthBytes)), frames);
        return card != null && lines.Attach(function.InterruptLine, new Interrupt(card)) == Errno.None ? card : null;
    }

    /// <summary>Sets up the card behind the registers. A card that carries messages has jumbo frames.</summary>
    public static E1000? Open(E1000Registers registers, FrameAllocator frames)
    {
        if (!TryReset(registers))
        {
            return null;
        }

        ulong macAddress = ReadAddress(registers);
        int mtu = CardAddress.RoleOf(macAddress) == CardRole.Fabric ? JumboMtu : StandardMtu;
        ulong buffers = (ulong)(ReceiveDescriptors(mtu) + TransmitDescriptors) * (ulong)BufferBytes(mtu);
        ulong pages = DescriptorPages(mtu) + PagesOf(buffers);
        byte* memory = (byte*)frames.AllocateContiguous(pages);
        if (memory == null)
        {
            return null;
        }

        for (ulong page = 0; page < pages; page++)
        {
            PageOperations.Clear(memory + (page * PageOperations.PageSize));
        }

        E1000 card = new(registers, macAddress, mtu, memory);
        card.Start();
        return card;
    }

    public override bool TrySend(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c)
    {
        int next = (_transmitNext + 1) % TransmitDescriptors;
        if (next == _transmitOldest)
        {
            ReclaimSent();
        }

        long frameBytes = (long)a.Length + b.Length + c.Length;
        if (next == _transmitOldest || frameBytes > MaxFrameBytes || frameBytes < EthernetHeaderBytes)
        {
            return false;
        }

        byte* frame = TransmitBuffer(_transmitNext);
        a.CopyTo(new Span<byte>(frame, a.Length));
        b.CopyTo(new Span<byte>(frame + a.Length, b.Length));
        c.CopyTo(new Span<byte>(frame + a.Length + b.Length, c.Length));
        ref TransmitDescriptor descriptor = ref _transmit[_transmitNext];
        descriptor.LengthBytes = (ushort)frameBytes;
        descriptor.Command = CommandEndOfFrame | CommandInsertChecksum | CommandReportStatus;
        descriptor.Status = 0;
        _transmitBytes[_transmitNext] = (int)frameBytes;
        _transmitNext = next;
        _framesSent++;
        _registers.Write(E1000Register.TransmitTail, (uint)next);
        return true;
    }

    public override bool TryReceive(out ReadOnlySpan<byte> frame)
    {
        while (_lentBytes == NotLent)
        {
            ref ReceiveDescriptor descriptor = ref _receive[_receiveNext];
            byte status = Volatile.Read(ref descriptor.Status);
            if ((status & ReceivedDone) == 0)
            {
                ReturnDescriptors();
                ReclaimSent();
                frame = default;
                return false;
            }

            _lentBytes = Math.Min((int)descriptor.LengthBytes, _bufferBytes);
            bool isWhole = (status & ReceivedEndOfFrame) != 0 && (descriptor.Errors & ReceivedErrors) == 0;
            if (!isWhole || _lentBytes < EthernetHeaderBytes || _lentBytes > MaxFrameBytes)
            {
                _framesRefused++;
                ReleaseReceived();
            }
        }

        frame = new ReadOnlySpan<byte>(ReceiveBuffer(_receiveNext), _lentBytes);
        return true;
    }

    public override void ReleaseReceived()
    {
        if (_lentBytes == NotLent)
        {
            return;
        }

        _framesReceived++;
        new Span<byte>(ReceiveBuffer(_receiveNext), _lentBytes).Clear();
        _lentBytes = NotLent;
        _receive[_receiveNext].Status = 0;
        _receiveNext = (_receiveNext + 1) % _receiveDescriptors;
        _unreturned++;
        if (_unreturned >= _receiveDescriptors / ReturnShare)
        {
            ReturnDescriptors();
        }
    }

    /// <summary>Clears and takes back what has been sent. Received frames are the user's to fetch.</summary>
    public override bool Poll() => ReclaimSent();

    public override void ArmWakeup()
    {
        ReclaimSent();
        ReturnDescriptors();
        if (_isMasked)
        {
            // What has been received while the machine polled is old news; what comes from now on is found by the poll that follows.
            _isMasked = false;
            _registers.Read(E1000Register.InterruptCause);
            _registers.Write(E1000Register.InterruptMaskSet, Causes);
        }
    }

    public override void Report(ReadOnlySpan<byte> prefix, ref StatisticsWriter writer)
    {
        writer.Add(prefix, "frames_sent"u8, _framesSent);
        writer.Add(prefix, "frames_received"u8, _framesReceived);
        writer.Add(prefix, "frames_refused"u8, _framesRefused);
    }

    /// <summary>The line is raised: lets go of it if it is this card's.</summary>
    public void OnInterrupt()
    {
        if (!_isMasked && _registers.Read(E1000Register.InterruptCause) != 0)
        {
            _isMasked = true;
            _registers.Write(E1000Register.InterruptMaskClear, uint.MaxValue);
        }
    }

    private static int BufferBytes(int mtu) => mtu > StandardMtu ? JumboBufferBytes : StandardBufferBytes;

    private static int ReceiveDescriptors(int mtu) => mtu > StandardMtu ? JumboReceiveDescriptors : StandardReceiveDescriptors;

    private static ulong DescriptorPages(int mtu) => PagesOf((ulong)(ReceiveDescriptors(mtu) + TransmitDescriptors) * DescriptorBytes);

    private static ulong PagesOf(ulong bytes) => (bytes + PageOperations.PageSize - 1) / PageOperations.PageSize;

    private static bool TryReset(E1000Registers registers)
    {
        registers.Write(E1000Register.InterruptMaskClear, uint.MaxValue);
        registers.Write(E1000Register.Control, E1000Bits.ControlReset);
        for (int attempt = 0; (registers.Read(E1000Register.Control) & E1000Bits.ControlReset) != 0; attempt++)
        {
            if (attempt == ResetAttempts)
            {
                return false;
            }

            Cpu.Pause();
        }

        registers.Write(E1000Register.InterruptMaskClear, uint.MaxValue);
        registers.Read(E1000Register.InterruptCause);
        return true;
    }

    /// <summary>The first receive address, which the card has loaded from its EEPROM (14.4): little endian, first byte lowest.</summary>
    private static ulong ReadAddress(E1000Registers registers)
    {
        ulong stored = registers.Read(E1000Register.AddressLow) | ((ulong)registers.Read(E1000Register.AddressHigh) << 32);
        ulong address = 0;
        for (int index = 0; index < MacBytes; index++)
        {
            address = (address << 8) | ((stored >> (8 * index)) & 0xFF);
        }

        return address;
    }

    private void Start()
    {
        for (int word = 0; word < E1000Register.MulticastTableWords; word++)
        {
            _registers.Write(E1000Register.MulticastTable + (word * sizeof(uint)), 0);
        }

        _registers.Write(E1000Register.Control, E1000Bits.ControlAutoSpeed | E1000Bits.ControlLinkUp);
        _registers.Write(E1000Register.InterruptThrottle, 0);
        ulong receive = PhysicalAddress.Of(_receive);
        _registers.Write(E1000Register.ReceiveBaseLow, (uint)receive);
        _registers.Write(E1000Register.ReceiveBaseHigh, (uint)(receive >> 32));
        _registers.Write(E1000Register.ReceiveLength, (uint)(_receiveDescriptors * DescriptorBytes));
        _registers.Write(E1000Register.ReceiveHead, 0);
        _registers.Write(E1000Register.ReceiveTail, (uint)_receiveDescriptors - 1);
        ulong transmit = PhysicalAddress.Of(_transmit);
        _registers.Write(E1000Register.TransmitBaseLow, (uint)transmit);
        _registers.Write(E1000Register.TransmitBaseHigh, (uint)(transmit >> 32));
        _registers.Write(E1000Register.TransmitLength, (uint)(TransmitDescriptors * DescriptorBytes));
        _registers.Write(E1000Register.TransmitHead, 0);
        _registers.Write(E1000Register.TransmitTail, 0);
        _registers.Write(E1000Register.TransmitGap, E1000Bits.TransmitGaps);
        _registers.Write(
            E1000Register.TransmitControl, E1000Bits.TransmitEnable | E1000Bits.TransmitPadShort | E1000Bits.TransmitCollisions);
        uint size = _bufferBytes == JumboBufferBytes ? E1000Bits.ReceiveLong | E1000Bits.ReceiveSize16K : 0;
        _registers.Write(
            E1000Register.ReceiveControl,
            E1000Bits.ReceiveEnable | E1000Bits.ReceiveBroadcast | E1000Bits.ReceiveAllMulticast | E1000Bits.ReceiveStripChecksum | size);
    }

    private byte* ReceiveBuffer(int index) => _receiveMemory + ((long)index * _bufferBytes);

    private byte* TransmitBuffer(int index) => _transmitMemory + ((long)index * _bufferBytes);

    /// <summary>The tail is the descriptor that the card may not use: the ring would look empty if it could use all.</summary>
    private void ReturnDescriptors()
    {
        if (_unreturned != 0)
        {
            _unreturned = 0;
            _registers.Write(E1000Register.ReceiveTail, (uint)((_receiveNext + _receiveDescriptors - 1) % _receiveDescriptors));
        }
    }

    private bool ReclaimSent()
    {
        bool any = false;
        while (_transmitOldest != _transmitNext && (Volatile.Read(ref _transmit[_transmitOldest].Status) & TransmitDone) != 0)
        {
            new Span<byte>(TransmitBuffer(_transmitOldest), _transmitBytes[_transmitOldest]).Clear();
            _transmitOldest = (_transmitOldest + 1) % TransmitDescriptors;
            any = true;
        }

        return any;
    }

    private sealed class Interrupt(E1000 card) : InterruptHandler
    {
        public override void OnInterrupt() => card.OnInterrupt();
    }
}
