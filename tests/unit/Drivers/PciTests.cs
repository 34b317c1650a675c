// Enumeration, window sizing and capability walks over a configuration space in memory, reached both directly and through the two ports.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

/// <summary>Functions with 256 bytes each; base address registers answer size probes.</summary>
internal sealed class FakeConfiguration : PciConfiguration
{
    private readonly Dictionary<(int Slot, int Function), byte[]> _functions = [];
    private readonly Dictionary<(int Slot, int Function, int Bar), uint> _masks = [];

    public bool ProbedWhileDecoding { get; private set; }

    public byte[] Add(int slot, int function, ushort vendor, ushort device, uint classCode = 0)
    {
        byte[] space = new byte[256];
        _functions[(slot, function)] = space;
        BitConverter.TryWriteBytes(space, (uint)(vendor | (device << 16)));
        BitConverter.TryWriteBytes(space.AsSpan(8), classCode << 8);
        space[4] = 3;
        return space;
    }

    public void SetBar(int slot, int function, int bar, uint value, uint mask)
    {
        BitConverter.TryWriteBytes(_functions[(slot, function)].AsSpan(0x10 + (bar * 4)), value);
        _masks[(slot, function, bar)] = mask;
    }

    public override uint Read32(PciAddress address, int offset) =>
        _functions.TryGetValue((address.Slot, address.Function), out byte[]? space) ? BitConverter.ToUInt32(space, offset) : uint.MaxValue;

    public override void Write32(PciAddress address, int offset, uint value)
    {
        byte[] space = _functions[(address.Slot, address.Function)];
        if (_masks.TryGetValue((address.Slot, address.Function, (offset - 0x10) / 4), out uint mask))
        {
            ProbedWhileDecoding |= value == uint.MaxValue && (space[4] & 3) != 0;
            value = (value & mask) | (BitConverter.ToUInt32(space, offset) & ~mask);
        }
        else if (offset is >= 0x10 and < 0x28)
        {
            return;
        }

        BitConverter.TryWriteBytes(space.AsSpan(offset), value);
    }

    public override void Write16(PciAddress address, int offset, ushort value) =>
        BitConverter.TryWriteBytes(_functions[(address.Slot, address.Function)].AsSpan(offset), value);
}

/// <summary>The two ports of configuration mechanism #1 in front of a configuration space.</summary>
internal sealed class ConfigurationPorts(PciConfiguration configuration) : FakePorts
{
    private uint _address;

    private PciAddress Target => new((byte)(_address >> 16), (byte)((_address >> 11) & 31), (byte)((_address >> 8) & 7));

    public override uint In(ushort port, int widthBytes)
    {
        Assert.Equal(0xCFC, port);
        Assert.Equal(4, widthBytes);
        return configuration.Read32(Target, (int)(_address & 0xFC));
    }

    public override void Out(ushort port, int widthBytes, uint value)
    {
        if (port == 0xCF8)
        {
            Assert.Equal(4, widthBytes);
            Assert.True(value >> 31 == 1);
            _address = value;
        }
        else if (widthBytes == 2)
        {
            configuration.Write16(Target, (int)(_address & 0xFC) + port - 0xCFC, (ushort)value);
        }
        else
        {
            configuration.Write32(Target, (int)(_address & 0xFC), value);
        }
    }
}

public sealed unsafe class PciTests
{
    private readonly FakeConfiguration _configuration = new();

    private PciFunction Function(byte slot, byte number = 0) => new(_configuration, new PciAddress(0, slot, number));

    [Fact]
    public void Enumeration_finds_functions_in_slot_order_and_looks_behind_multifunction_headers_only()
    {
        _configuration.Add(0, 0, 0x8086, 0x1237);
        _configuration.Add(1, 0, 0x8086, 0x7000)[0x0E] = 0x80;
        _configuration.Add(1, 3, 0x8086, 0x7113);
        _configuration.Add(5, 0, 0x1AF4, 0x1041);
        _configuration.Add(5, 1, 0x1AF4, 0x1042);
        PciFunction[] found = new PciFunction[PciBus.MaxFunctions];
        Ports.Device = new ConfigurationPorts(_configuration);
        int count = PciBus.Enumerate(new PortConfiguration(), found);
        Ports.Device = null;
        Assert.Equal(4, count);
        int[] devices = [found[0].DeviceId, found[1].DeviceId, found[2].DeviceId, found[3].DeviceId];
        Assert.Equal([0x1237, 0x7000, 0x7113, 0x1041], devices);
        Assert.Equal(1, PciBus.Enumerate(_configuration, found.AsSpan(0, 1)));
    }

    [Fact]
    public void Windows_are_sized_with_decoding_off_and_left_as_they_were()
    {
        _configuration.Add(2, 0, 1, 1);
        _configuration.SetBar(2, 0, 0, 0xC001, 0xFFFF_FFE0);
        _configuration.SetBar(2, 0, 1, 0xFEB0_0000, 0xFFFF_F000);
        _configuration.SetBar(2, 0, 2, 0xE000_000C, 0xFFC0_0000);
        _configuration.SetBar(2, 0, 3, 0x0000_0001, 0xFFFF_FFFF);
        PciFunction function = Function(2);
        Check(function.Bar(0), PciBarKind.Port, 0xC000, 32);
        Check(function.Bar(1), PciBarKind.Memory, 0xFEB0_0000, 4096);
        Check(function.Bar(2), PciBarKind.Memory, 0x1_E000_0000, 4 << 20);
        Check(function.Bar(3), PciBarKind.None, 0, 0);
        Check(function.Bar(4), PciBarKind.None, 0, 0);
        Check(function.Bar(7), PciBarKind.None, 0, 0);
        Check(function.Bar(2), PciBarKind.Memory, 0x1_E000_0000, 4 << 20);
        Assert.False(_configuration.ProbedWhileDecoding);
        Assert.Equal(3, function.Read16(4));
    }

    [Fact]
    public void Windows_of_broken_devices_are_none()
    {
        _configuration.Add(2, 0, 1, 1);
        _configuration.SetBar(2, 0, 1, 0xFEB0_0000, 0xFF0F_0000);
        _configuration.SetBar(2, 0, 5, 0xE000_000C, 0xFFC0_0000);
        for (int index = 0; index < 6; index++)
        {
            Check(Function(2).Bar(index), PciBarKind.None, 0, 0);
        }
    }

    [Fact]
    public void What_firmware_has_not_assigned_gets_aligned_addresses_and_lines_by_slot_and_pin()
    {
        byte[] router = _configuration.Add(1, 0, 0x8086, 0x7000);
        router[0x60] = 0x80;
        byte[] card = _configuration.Add(5, 0, 0x8086, 0x100E);
        card[0x3D] = 1;
        _configuration.SetBar(5, 0, 0, 0, 0xFFFE_0000);
        _configuration.SetBar(5, 0, 1, 1, 0xFFFF_FFC0);
        byte[] region = _configuration.Add(8, 0, 0x1AF4, 0x1110);
        region[0x3D] = 4;
        _configuration.SetBar(8, 0, 0, 0, 0xFFFF_FF00);
        _configuration.SetBar(8, 0, 2, 0xC, 0xFFF0_0000);
        _configuration.SetBar(8, 0, 3, 0, 0xFFFF_FFFF);
        byte[] doorbell = _configuration.Add(9, 0, 0x1B36, 2);
        _configuration.SetBar(9, 0, 0, 1, 0xFFFF_FFF8);
        Complete();
        Check(Function(5).Bar(0), PciBarKind.Memory, 0xE000_0000, 0x2_0000);
        Check(Function(5).Bar(1), PciBarKind.Port, 0xC000, 64);
        Check(Function(8).Bar(0), PciBarKind.Memory, 0xE002_0000, 256);
        Check(Function(8).Bar(2), PciBarKind.Memory, 0xE010_0000, 1 << 20);
        Check(Function(9).Bar(0), PciBarKind.Port, 0xC040, 8);
        Check(Function(5).Bar(2), PciBarKind.None, 0, 0);
        Assert.Equal([10, 10, 11, 11], router[0x60..0x64]);
        Assert.Equal((10, 11, 0), (card[0x3C], region[0x3C], doorbell[0x3C]));
        Assert.Equal(3, Function(5).Read16(4));
        Assert.False(_configuration.ProbedWhileDecoding);
    }

    [Fact]
    public void Where_firmware_has_assigned_addresses_nothing_is_changed()
    {
        byte[] router = _configuration.Add(1, 0, 0x8086, 0x7000);
        router[0x60] = 5;
        byte[] first = _configuration.Add(3, 0, 1, 1);
        first[0x3C] = 7;
        first[0x3D] = 1;
        _configuration.SetBar(3, 0, 0, 0xFEB0_0000, 0xFFF0_0000);
        _configuration.Add(4, 0, 1, 1);
        _configuration.SetBar(4, 0, 0, 0, 0xFFF0_0000);
        Complete();
        Check(Function(3).Bar(0), PciBarKind.Memory, 0xFEB0_0000, 1 << 20);
        Check(Function(4).Bar(0), PciBarKind.None, 0, 0);
        Assert.Equal((7, 5), (first[0x3C], router[0x60]));
    }

    [Fact]
    public void Windows_that_find_no_room_stay_without_an_address()
    {
        for (int slot = 2; slot < 4; slot++)
        {
            _configuration.Add(slot, 0, 1, 1);
            _configuration.SetBar(slot, 0, 0, 0, 0xF000_0000);
            _configuration.SetBar(slot, 0, 1, 1, 0xFFFF_E000);
        }

        Complete();
        Check(Function(2).Bar(0), PciBarKind.Memory, 0xE000_0000, 1 << 28);
        Check(Function(3).Bar(0), PciBarKind.None, 0, 0);
        Check(Function(2).Bar(1), PciBarKind.Port, 0xC000, 1 << 13);
        Check(Function(3).Bar(1), PciBarKind.Port, 0xE000, 1 << 13);
    }

    [Fact]
    public void Capability_lists_that_go_in_circles_end()
    {
        byte[] space = _configuration.Add(3, 0, 1, 1);
        space[0x34] = 0x40;
        space[0x40] = 5;
        space[0x41] = 0x50;
        space[0x50] = 9;
        space[0x51] = 0x40;
        Assert.Equal(0, Function(3).FindCapability(9));
        space[6] = 0x10;
        Assert.Equal(0x50, Function(3).FindCapability(9));
        Assert.Equal(0x50, Function(3).FindCapability(9, 0x50));
        Assert.Equal(0, Function(3).FindCapability(0x11));
    }

    [Fact]
    public void MsiX_tables_outside_their_window_are_refused()
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc(1 << 20, 1 << 20);
        ulong start = (ulong)memory;
        byte[] space = _configuration.Add(3, 0, 1, 1);
        space[6] = 0x10;
        space[0x34] = 0x40;
        space[0x40] = 0x11;
        space[0x42] = 3;
        _configuration.SetBar(3, 0, 0, (uint)start | 4, 0xFFFF_F000);
        _configuration.SetBar(3, 0, 1, (uint)(start >> 32), 0xFFFF_FFFF);
        BitConverter.TryWriteBytes(space.AsSpan(0x44), 0x1000);
        Assert.Equal(Errno.ENXIO, MsiX.TryEnable(Function(3), out _));
        BitConverter.TryWriteBytes(space.AsSpan(0x44), 0x0FC0);
        Assert.Equal(Errno.None, MsiX.TryEnable(Function(3), out MsiX msiX));
        Assert.Equal(4, msiX.Count);
        msiX.Route(2, 0x55);
        uint* entry = (uint*)(memory + 0xFC0 + (2 * 16));
        Assert.Equal(0xFEE0_0000u, entry[0]);
        Assert.Equal(0x55u, entry[2]);
        Assert.Equal(0u, entry[3]);
        Assert.Equal(1u, entry[7]);
        Assert.Equal(0x80, space[0x43]);
        Assert.Equal(7, space[4]);
        Assert.Equal(4, space[5]);
    }

    private void Complete()
    {
        PciFunction[] functions = new PciFunction[PciBus.MaxFunctions];
        PciAssignment.Complete(functions.AsSpan(0, PciBus.Enumerate(_configuration, functions)));
    }

    private static void Check(PciBar bar, PciBarKind kind, ulong start, ulong lengthBytes)
    {
        Assert.Equal(kind, bar.Kind);
        Assert.Equal(start, bar.Base);
        Assert.Equal(lengthBytes, bar.LengthBytes);
    }
}
