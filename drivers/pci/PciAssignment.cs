// What a BIOS would have done on bus 0, for firmware that leaves it to the kernel (qboot, which starts a machine in a third of SeaBIOS's
// time): windows get addresses, INTx pins get inputs of the interrupt controller.
//
// The numbers are those of QEMU's machine type pc (i440FX): its RAM ends below 0xE0000000 and goes on above 4 GB, its I/O APIC begins at
// 0xFEC00000, ports from 0xC000 on belong to nobody. Boot time only.

using System;

namespace Lego.Drivers;

/// <summary>Completes the assignment of addresses and interrupt lines.</summary>
public static class PciAssignment
{
    private const ulong FirstPort = 0xC000;
    private const ulong EndOfPorts = 0x1_0000;
    private const ulong FirstAddress = 0xE000_0000;
    private const ulong EndOfAddresses = 0xFEC0_0000;
    private const ulong PageBytes = 4096;

    private const int Pins = 4;
    private const ushort IntelVendorId = 0x8086;
    private const ushort Piix3DeviceId = 0x7000;
    /// <summary>PIRQRC[A:D], a byte each (Intel 82371SB, 2.2.7).</summary>
    private const int Piix3RouteRegister = 0x60;

    private static ReadOnlySpan<byte> LineOfRoute => [10, 10, 11, 11];

    /// <summary>
    /// Gives every window of the functions an address, and every pin its line; nothing when firmware has assigned addresses. A window that
    /// finds no room stays without, and its driver says so.
    /// </summary>
    public static void Complete(ReadOnlySpan<PciFunction> functions)
    {
        if (HasAddress(functions))
        {
            return;
        }

        ulong ports = FirstPort;
        ulong addresses = FirstAddress;
        foreach (ref readonly PciFunction function in functions)
        {
            AssignWindows(function, ref ports, ref addresses);
            RoutePin(function);
        }
    }

    private static bool HasAddress(ReadOnlySpan<PciFunction> functions)
    {
        foreach (ref readonly PciFunction function in functions)
        {
            for (int index = 0; index < PciFunction.BarCount; index++)
            {
                if (function.Window(index).Base != 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static void AssignWindows(in PciFunction function, ref ulong ports, ref ulong addresses)
    {
        for (int index = 0; index < PciFunction.BarCount; index++)
        {
            PciBar window = function.Window(index);
            if (window.Kind == PciBarKind.Port)
            {
                Assign(function, index, window.LengthBytes, window.LengthBytes, ref ports, EndOfPorts);
            }
            else if (window.Kind == PciBarKind.Memory)
            {
                // The kernel maps by pages: no two windows share one.
                Assign(function, index, window.LengthBytes, Math.Max(window.LengthBytes, PageBytes), ref addresses, EndOfAddresses);
            }
        }
    }

    private static void Assign(in PciFunction function, int index, ulong lengthBytes, ulong alignment, ref ulong next, ulong end)
    {
        ulong start = (next + alignment - 1) & ~(alignment - 1);
        if (start < end && lengthBytes <= end - start)
        {
            function.Assign(index, (uint)start);
            next = start + lengthBytes;
        }
    }

    /// <summary>
    /// Pin p of slot s is wired to route (p - 1 + s - 1) mod 4 of the i440FX board; the PIIX3 leads each route to an input.
    /// </summary>
    private static void RoutePin(in PciFunction function)
    {
        if (function.VendorId == IntelVendorId && function.DeviceId == Piix3DeviceId)
        {
            for (int route = 0; route < Pins; route += 2)
            {
                function.Write16(Piix3RouteRegister + route, (ushort)(LineOfRoute[route] | (LineOfRoute[route + 1] << 8)));
            }
        }

        if (function.InterruptPin != 0)
        {
            function.Route(LineOfRoute[(function.InterruptPin - 1 + function.Address.Slot - 1) & (Pins - 1)]);
        }
    }
}
