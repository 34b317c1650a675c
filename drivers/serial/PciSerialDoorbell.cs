// A doorbell made of QEMU's pci-serial (docs/specs/pci-serial): its character device is a socket to the pci-serial of the other machine,
// so one byte written here interrupts there. The interrupt is INTx: level-triggered and shared, so the handler empties the FIFO, which
// lets go of the line. The byte's value means nothing. Nothing here blocks; construction is for boot time.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>One pci-serial function.</summary>
public sealed class PciSerialDoorbell : Doorbell
{
    public const ushort VendorId = 0x1B36;
    public const ushort DeviceId = 0x0002;

    private const int RegisterBar = 0;
    private const int RegisterBytes = 8;
    private const byte RingByte = 0x07;
    /// <summary>A FIFO holds 16 bytes; a sender that never stops is left for the next interrupt.</summary>
    private const int MaxDrainBytes = 64;

    private readonly Uart _uart;
    private bool _enabled;
    private bool _rung;

    private PciSerialDoorbell(Uart uart)
    {
        _uart = uart;
    }

    /// <summary>Sets the port up and attaches to its interrupt line. Null: it has no registers or no line.</summary>
    public static PciSerialDoorbell? Open(in PciFunction function, InterruptLines lines)
    {
        function.Enable();
        PciBar bar = function.Bar(RegisterBar);
        if (bar.Kind != PciBarKind.Port || bar.LengthBytes < RegisterBytes)
        {
            return null;
        }

        PciSerialDoorbell doorbell = new(new Uart((ushort)bar.Base));
        doorbell._uart.Initialize();
        return lines.Attach(function.InterruptLine, new Interrupt(doorbell)) == Errno.None ? doorbell : null;
    }

    public override void Ring() => _uart.Send(RingByte);

    /// <summary>
    /// Enables the interrupt once and for all: a port access costs more than the rare ring that comes while nobody sleeps, since the other
    /// machine rings only when this one has said that it sleeps.
    /// </summary>
    public override void Arm()
    {
        if (!_enabled)
        {
            _enabled = true;
            _uart.EnableInterrupt();
        }
    }

    public override void Disarm()
    {
    }

    /// <summary>Costs a port access or more: call it after a wake-up, not in a polling loop.</summary>
    public override bool Acknowledge()
    {
        Drain();
        bool rung = _rung;
        _rung = false;
        return rung;
    }

    private sealed class Interrupt(PciSerialDoorbell doorbell) : InterruptHandler
    {
        public override void OnInterrupt() => doorbell.Drain();
    }

    private void Drain()
    {
        for (int count = 0; count < MaxDrainBytes && _uart.TryReceive(out _); count++)
        {
            _rung = true;
        }
    }
}
