// INTx pins: level-triggered lines that several functions share (PCI 3.0, 2.2.6). One vector per line; its handler runs all handlers of the
// line, each of which must make its own device let go of the line. Attach is for boot time.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Who is called when an interrupt line is raised.</summary>
public sealed class InterruptLines
{
    /// <summary>Inputs of the I/O APIC that PCI pins reach on this machine type.</summary>
    private const int LineCount = 24;
    private const int HandlersPerLine = 16;

    private readonly Line?[] _lines = new Line?[LineCount];

    /// <summary>The handlers of one line.</summary>
    private sealed class Line : InterruptHandler
    {
        private readonly InterruptHandler[] _handlers = new InterruptHandler[HandlersPerLine];
        private int _count;

        public override void OnInterrupt()
        {
            for (int index = 0; index < _count; index++)
            {
                _handlers[index].OnInterrupt();
            }
        }

        internal bool TryAdd(InterruptHandler handler)
        {
            if (_count == HandlersPerLine)
            {
                return false;
            }

            _handlers[_count++] = handler;
            return true;
        }
    }

    /// <summary>Calls the handler from now on. ENXIO: no such line; ENOMEM: too many functions on it.</summary>
    public Errno Attach(byte number, InterruptHandler handler)
    {
        if (number >= LineCount)
        {
            return Errno.ENXIO;
        }

        Line? line = _lines[number];
        if (line == null)
        {
            line = new Line();
            _lines[number] = line;
            Interrupts.RouteIoApic(number, Interrupts.AllocateVector(line), level: true);
        }

        return line.TryAdd(handler) ? Errno.None : Errno.ENOMEM;
    }
}
