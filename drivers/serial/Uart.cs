// A 16550 serial port (National PC16550D data sheet, 8). Only what a doorbell needs: send and receive without ever waiting.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Register access of one port.</summary>
public readonly struct Uart(ushort port)
{
    private const int Data = 0;
    private const int InterruptEnable = 1;
    private const int FifoControl = 2;
    private const int LineControl = 3;
    private const int ModemControl = 4;
    private const int LineStatus = 5;

    private const byte InterruptReceived = 1;
    private const byte FifoEnableAndClear = 0x07;
    private const byte LineDivisorLatch = 0x80;
    private const byte Line8N1 = 0x03;
    /// <summary>DTR and RTS tell the far end that we are here; OUT2 lets the interrupt through.</summary>
    private const byte ModemReady = 0x0B;
    private const byte StatusDataReady = 0x01;

    /// <summary>Fastest rate, 8N1, FIFOs on and empty, no interrupts.</summary>
    public void Initialize()
    {
        Write(InterruptEnable, 0);
        Write(LineControl, LineDivisorLatch);
        Write(Data, 1);
        Write(InterruptEnable, 0);
        Write(LineControl, Line8N1);
        Write(FifoControl, FifoEnableAndClear);
        Write(ModemControl, ModemReady);
    }

    /// <summary>Hands a byte to the transmitter without asking whether it has room; a full FIFO loses a byte.</summary>
    public void Send(byte value) => Write(Data, value);

    /// <summary>Takes one received byte; false when there is none.</summary>
    public bool TryReceive(out byte value)
    {
        bool ready = (Ports.In8((ushort)(port + LineStatus)) & StatusDataReady) != 0;
        value = ready ? Ports.In8(port) : (byte)0;
        return ready;
    }

    /// <summary>Interrupt while a received byte waits (level: until the FIFO is empty).</summary>
    public void EnableInterrupt() => Write(InterruptEnable, InterruptReceived);

    private void Write(int register, byte value) => Ports.Out8((ushort)(port + register), value);
}
