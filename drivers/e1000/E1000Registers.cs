// The registers of an 82540EM that the driver uses: offsets and bits by the names of Intel's "PCI/PCI-X Family of Gigabit Ethernet
// Controllers Software Developer's Manual" (317453), chapter 13. Abstract, so that tests stand in for the card.

using System.Threading;

namespace Lego.Drivers;

/// <summary>Offsets, bytes.</summary>
public static class E1000Register
{
    public const int Control = 0x0000;
    public const int Status = 0x0008;
    public const int InterruptCause = 0x00C0;
    public const int InterruptThrottle = 0x00C4;
    public const int InterruptMaskSet = 0x00D0;
    public const int InterruptMaskClear = 0x00D8;
    public const int ReceiveControl = 0x0100;
    public const int TransmitControl = 0x0400;
    public const int TransmitGap = 0x0410;
    public const int ReceiveBaseLow = 0x2800;
    public const int ReceiveBaseHigh = 0x2804;
    public const int ReceiveLength = 0x2808;
    public const int ReceiveHead = 0x2810;
    public const int ReceiveTail = 0x2818;
    public const int TransmitBaseLow = 0x3800;
    public const int TransmitBaseHigh = 0x3804;
    public const int TransmitLength = 0x3808;
    public const int TransmitHead = 0x3810;
    public const int TransmitTail = 0x3818;
    public const int MulticastTable = 0x5200;
    public const int MulticastTableWords = 128;
    public const int AddressLow = 0x5400;
    public const int AddressHigh = 0x5404;
    /// <summary>All of them lie below.</summary>
    public const int WindowBytes = 0x6000;
}

/// <summary>Bits.</summary>
public static class E1000Bits
{
    public const uint ControlAutoSpeed = 1 << 5;
    public const uint ControlLinkUp = 1 << 6;
    public const uint ControlReset = 1 << 26;
    public const uint StatusLinkUp = 1 << 1;

    public const uint CauseTransmitted = 1 << 0;
    public const uint CauseLinkChanged = 1 << 2;
    public const uint CauseFewBuffers = 1 << 4;
    public const uint CauseOverrun = 1 << 6;
    public const uint CauseReceived = 1 << 7;

    public const uint ReceiveEnable = 1 << 1;
    public const uint ReceiveAllMulticast = 1 << 4;
    public const uint ReceiveLong = 1 << 5;
    public const uint ReceiveBroadcast = 1 << 15;
    public const uint ReceiveSize16K = (1 << 25) | (1 << 16);
    public const uint ReceiveStripChecksum = 1 << 26;

    public const uint TransmitEnable = 1 << 1;
    public const uint TransmitPadShort = 1 << 3;
    /// <summary>Collision threshold 15 and distance 64, as full duplex wants (13.4.33).</summary>
    public const uint TransmitCollisions = (15 << 4) | (64 << 12);
    /// <summary>Gaps between frames for copper (13.4.34).</summary>
    public const uint TransmitGaps = 10 | (8 << 10) | (6 << 20);
}

/// <summary>Reads and writes registers.</summary>
public abstract class E1000Registers
{
    public abstract uint Read(int offset);

    public abstract void Write(int offset, uint value);
}

/// <summary>The registers of a card on the bus.</summary>
public sealed unsafe class MappedE1000Registers(byte* window) : E1000Registers
{
    public override uint Read(int offset) => Volatile.Read(ref *(uint*)(window + offset));

    public override void Write(int offset, uint value) => Volatile.Write(ref *(uint*)(window + offset), value);
}
