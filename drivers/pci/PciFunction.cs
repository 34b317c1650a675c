// One function found on the bus: what it is, its windows, its capabilities. Firmware or PciAssignment gives it addresses and an interrupt
// line. Boot time only. Everything read here comes from the device: lists are walked with a limit, windows are checked before use.

namespace Lego.Drivers;

/// <summary>A function's type 0 header (PCI 3.0, 6.1).</summary>
public readonly struct PciFunction
{
    private const int IdRegister = 0x00;
    private const int CommandRegister = 0x04;
    private const int StatusRegister = 0x06;
    private const int ClassRegister = 0x08;
    private const int BarRegister = 0x10;
    private const int CapabilitiesRegister = 0x34;
    private const int InterruptLineRegister = 0x3C;
    private const int InterruptPinRegister = 0x3D;

    /// <summary>Base address registers of a function.</summary>
    internal const int BarCount = 6;

    private const ushort CommandPorts = 1 << 0;
    private const ushort CommandMemory = 1 << 1;
    private const ushort CommandBusMaster = 1 << 2;
    private const ushort CommandNoLineInterrupt = 1 << 10;
    private const ushort StatusCapabilities = 1 << 4;

    private const uint BarIsPort = 1;
    private const uint BarTypeMask = 6;
    private const uint BarType64 = 4;

    /// <summary>Capabilities are 4-byte aligned behind the 64-byte header, so a longer list goes round in circles.</summary>
    private const int MaxCapabilities = 48;

    private readonly PciConfiguration _configuration;
    private readonly PciBar[] _windows = new PciBar[BarCount];

    /// <summary>
    /// Looks at a function that is there. Its windows are sized here, once: while they are, the function answers nobody, and each change
    /// of that has an emulator map all devices anew.
    /// </summary>
    public PciFunction(PciConfiguration configuration, PciAddress address)
    {
        _configuration = configuration;
        Address = address;
        uint id = configuration.Read32(address, IdRegister);
        VendorId = (ushort)id;
        DeviceId = (ushort)(id >> 16);
        ClassCode = configuration.Read32(address, ClassRegister) >> 8;
        SizeWindows();
    }

    public PciAddress Address { get; }

    public ushort VendorId { get; }

    public ushort DeviceId { get; }

    /// <summary>Class, subclass and programming interface, one byte each.</summary>
    public uint ClassCode { get; }

    /// <summary>The INTx pin, from 1 (INTA#); 0: none.</summary>
    public byte InterruptPin => Read8(InterruptPinRegister);

    /// <summary>The interrupt controller input that the INTx pin is routed to; 0: to none yet.</summary>
    public byte InterruptLine => Read8(InterruptLineRegister);

    public byte Read8(int offset) => _configuration.Read8(Address, offset);

    public ushort Read16(int offset) => _configuration.Read16(Address, offset);

    public uint Read32(int offset) => _configuration.Read32(Address, offset);

    public void Write16(int offset, ushort value) => _configuration.Write16(Address, offset, value);

    /// <summary>Lets the function answer at its windows and read and write memory by itself.</summary>
    public void Enable() => SetCommand(CommandPorts | CommandMemory | CommandBusMaster, 0);

    /// <summary>The function signals by messages only (MSI-X), not by its INTx pin.</summary>
    public void DisableLineInterrupt() => SetCommand(CommandNoLineInterrupt, 0);

    /// <summary>One window, as it can be used. Kind None: not implemented, not assigned, or the upper half of a 64-bit register.</summary>
    public PciBar Bar(int index)
    {
        PciBar window = (uint)index < BarCount ? Window(index) : default;
        return window.Base != 0 ? window : default;
    }

    /// <summary>One window, also one without an address (Base 0).</summary>
    internal PciBar Window(int index) => _windows[index];

    /// <summary>Gives a window its address, which is a multiple of its size and fits into 32 bits.</summary>
    internal void Assign(int index, uint start)
    {
        int offset = BarRegister + (index * 4);
        bool is64Bit = Is64Bit(Read32(offset));
        _configuration.Write32(Address, offset, start);
        if (is64Bit)
        {
            _configuration.Write32(Address, offset + 4, 0);
        }

        _windows[index] = new PciBar(_windows[index].Kind, start, _windows[index].LengthBytes);
    }

    /// <summary>Notes for the function's driver where its INTx pin is routed to.</summary>
    internal void Route(byte line) =>
        _configuration.Write32(Address, InterruptLineRegister, (Read32(InterruptLineRegister) & ~0xFFu) | line);

    /// <summary>Offset of the first capability with this id after <paramref name="after"/> (0 = from the beginning), or 0.</summary>
    public int FindCapability(byte id, int after = 0)
    {
        if ((Read16(StatusRegister) & StatusCapabilities) == 0)
        {
            return 0;
        }

        int offset = Read8(after == 0 ? CapabilitiesRegister : after + 1) & 0xFC;
        for (int seen = 0; offset >= 0x40 && seen < MaxCapabilities; seen++)
        {
            if (Read8(offset) == id)
            {
                return offset;
            }

            offset = Read8(offset + 1) & 0xFC;
        }

        return 0;
    }

    private void SetCommand(ushort set, ushort clear) =>
        Write16(CommandRegister, (ushort)((Read16(CommandRegister) & ~clear) | set));

    /// <summary>The size is found by writing ones and looking which bits stick, with decoding off meanwhile.</summary>
    private void SizeWindows()
    {
        ushort command = Read16(CommandRegister);
        bool answers = (command & (CommandPorts | CommandMemory)) != 0;
        if (answers)
        {
            Write16(CommandRegister, (ushort)(command & ~(CommandPorts | CommandMemory)));
        }

        int index = 0;
        while (index < BarCount)
        {
            int next = index + (Is64Bit(Read32(BarRegister + (index * 4))) ? 2 : 1);
            _windows[index] = Size(index);
            index = next;
        }

        if (answers)
        {
            Write16(CommandRegister, command);
        }
    }

    private static bool Is64Bit(uint register) => (register & (BarIsPort | BarTypeMask)) == BarType64;

    private PciBar Size(int index)
    {
        int offset = BarRegister + (index * 4);
        uint low = Probe(offset, out uint lowMask);
        if ((low & BarIsPort) != 0)
        {
            uint port = low & ~3u;
            // 16-bit decoders leave the upper half zero.
            uint portBytes = ~((lowMask & ~3u) | 0xFFFF_0000u) + 1;
            return portBytes == 0 ? default : new PciBar(PciBarKind.Port, port, portBytes);
        }

        if (lowMask == 0)
        {
            return default;
        }

        ulong start = low & ~15u;
        ulong mask = (lowMask & ~15u) | 0xFFFF_FFFF_0000_0000;
        if (Is64Bit(low))
        {
            if (index + 1 >= BarCount)
            {
                return default;
            }

            uint high = Probe(offset + 4, out uint highMask);
            start |= (ulong)high << 32;
            mask = (lowMask & ~15u) | ((ulong)highMask << 32);
        }

        ulong lengthBytes = ~mask + 1;
        // The size is a power of two and windows are aligned to it; anything else is a broken device.
        bool sound = lengthBytes != 0 && (lengthBytes & (lengthBytes - 1)) == 0 && (start & (lengthBytes - 1)) == 0;
        return sound ? new PciBar(PciBarKind.Memory, start, lengthBytes) : default;
    }

    private uint Probe(int offset, out uint mask)
    {
        uint value = Read32(offset);
        _configuration.Write32(Address, offset, uint.MaxValue);
        mask = Read32(offset);
        _configuration.Write32(Address, offset, value);
        return value;
    }
}
