// Where log lines go: the first serial port (16550), byte by byte without waiting for an interrupt. QEMU's port takes bytes at once.

using System;

namespace Lego.Kernel;

/// <summary>COM1, transmit only.</summary>
public static class LogOutput
{
    private const ushort Port = 0x3F8;
    private const ushort LineStatus = Port + 5;
    private const byte TransmitterEmpty = 0x20;
    private const int MaxSpins = 100_000;

    /// <summary>Writes bytes; gives a stuck port up rather than hang the kernel.</summary>
    public static void Write(ReadOnlySpan<byte> text)
    {
        for (int index = 0; index < text.Length; index++)
        {
            for (int spin = 0; (Ports.In8(LineStatus) & TransmitterEmpty) == 0 && spin < MaxSpins; spin++)
            {
                Cpu.Pause();
            }

            Ports.Out8(Port, text[index]);
        }
    }
}
