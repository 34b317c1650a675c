// A base address register, decoded: which addresses a function answers at, and how many (PCI 3.0, 6.2.5.1).

namespace Lego.Drivers;

public enum PciBarKind : byte { None, Port, Memory }

/// <summary>One window of a function. Base is a port number or a physical address.</summary>
public readonly struct PciBar(PciBarKind kind, ulong start, ulong lengthBytes)
{
    public readonly PciBarKind Kind = kind;
    public readonly ulong Base = start;
    public readonly ulong LengthBytes = lengthBytes;

    /// <summary>True when [offset, offset + length) lies inside; the numbers may come from the device.</summary>
    public bool Contains(ulong offset, ulong length) => offset <= LengthBytes && length <= LengthBytes - offset;
}
