// Finds the functions on bus 0. The machines of a rack have no bridges with anything behind them, so bus 0 is all there is.
// Boot time only.

using System;

namespace Lego.Drivers;

/// <summary>Enumeration of bus 0 in slot order.</summary>
public static class PciBus
{
    /// <summary>More functions than any rack machine has; a longer list is cut.</summary>
    public const int MaxFunctions = 64;

    private const int Slots = 32;
    private const int FunctionsPerSlot = 8;
    private const ushort Absent = 0xFFFF;
    private const int VendorRegister = 0;
    private const int HeaderTypeRegister = 0x0E;
    private const byte MultiFunction = 0x80;

    /// <summary>Fills in the functions that are there and returns how many.</summary>
    public static int Enumerate(PciConfiguration configuration, Span<PciFunction> found)
    {
        int count = 0;
        for (byte slot = 0; slot < Slots; slot++)
        {
            int functions = 1;
            for (byte number = 0; number < functions; number++)
            {
                PciAddress address = new(0, slot, number);
                if (configuration.Read16(address, VendorRegister) == Absent)
                {
                    continue;
                }

                if (number == 0 && (configuration.Read8(address, HeaderTypeRegister) & MultiFunction) != 0)
                {
                    functions = FunctionsPerSlot;
                }

                if (count < found.Length)
                {
                    found[count++] = new PciFunction(configuration, address);
                }
            }
        }

        return count;
    }
}
