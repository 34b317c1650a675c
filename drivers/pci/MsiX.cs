// Message-signalled interrupts (PCI 3.0, 6.8.2): a table of messages in one of the function's windows. Boot time only.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>The MSI-X capability of one function, with its table mapped.</summary>
public readonly unsafe struct MsiX
{
    private const byte CapabilityId = 0x11;
    private const int ControlOffset = 2;
    private const int TableOffset = 4;
    private const ushort ControlEnable = 1 << 15;
    private const ushort ControlMaskAll = 1 << 14;
    private const ushort ControlSizeMask = 0x7FF;
    private const uint BarIndexMask = 7;

    private readonly TableEntry* _table;

    private MsiX(TableEntry* table, int count)
    {
        _table = table;
        Count = count;
    }

    /// <summary>One entry of the table.</summary>
    private struct TableEntry
    {
        internal uint AddressLow;
        internal uint AddressHigh;
        internal uint Data;
        /// <summary>Bit 0 masks the entry.</summary>
        internal uint Control;
    }

    /// <summary>Entries in the table.</summary>
    public int Count { get; }

    /// <summary>
    /// Maps the table and switches the function to messages, all masked. ENXIO: no such capability, or it does not add up.
    /// </summary>
    public static Errno TryEnable(in PciFunction function, out MsiX msiX)
    {
        msiX = default;
        int capability = function.FindCapability(CapabilityId);
        if (capability == 0)
        {
            return Errno.ENXIO;
        }

        ushort control = function.Read16(capability + ControlOffset);
        int count = (control & ControlSizeMask) + 1;
        uint table = function.Read32(capability + TableOffset);
        PciBar bar = function.Bar((int)(table & BarIndexMask));
        uint offset = table & ~BarIndexMask;
        ulong lengthBytes = (ulong)count * (ulong)sizeof(TableEntry);
        if (bar.Kind != PciBarKind.Memory || !bar.Contains(offset, lengthBytes))
        {
            return Errno.ENXIO;
        }

        function.Enable();
        msiX = new MsiX((TableEntry*)DeviceMemory.Map(bar.Base + offset, lengthBytes), count);
        for (int entry = 0; entry < count; entry++)
        {
            msiX._table[entry].Control = 1;
        }

        function.Write16(capability + ControlOffset, (ushort)((control & ~ControlMaskAll) | ControlEnable));
        function.DisableLineInterrupt();
        return Errno.None;
    }

    /// <summary>Lets an entry deliver a vector of this machine.</summary>
    public void Route(int entry, byte vector)
    {
        (ulong address, uint data) = Interrupts.MsiMessage(vector);
        _table[entry].AddressLow = (uint)address;
        _table[entry].AddressHigh = (uint)(address >> 32);
        _table[entry].Data = data;
        _table[entry].Control = 0;
    }
}
