// INTx pins: level-triggered lines that several functions share (PCI 3.0, 2.2.6). One vector per line; its handler runs all handlers of the
// line, each of which must make its own device let go of the line. Handlers run with interrupts off, must not block and must be short.
// Attach is for boot time.

using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>Who is called when an interrupt line is raised.</summary>
public static unsafe class InterruptLines
{
    /// <summary>Inputs of the I/O APIC that PCI pins reach on this machine type.</summary>
    private const int LineCount = 24;
    private const int HandlersPerLine = 16;

    private static Line[]? s_lines;

    /// <summary>The handlers of one line.</summary>
    private sealed class Line
    {
        internal readonly nint[] Handlers = new nint[HandlersPerLine];
        internal readonly nint[] Arguments = new nint[HandlersPerLine];
        internal int Count;
    }

    /// <summary>Calls the handler from now on. ENXIO: no such line; ENOMEM: too many functions on it.</summary>
    public static Errno Attach(byte number, delegate*<void*, void> handler, void* argument)
    {
        if (number >= LineCount)
        {
            return Errno.ENXIO;
        }

        s_lines ??= new Line[LineCount];
        Line? line = s_lines[number];
        if (line == null)
        {
            line = new Line();
            s_lines[number] = line;
            byte vector = Interrupts.AllocateVector(&Dispatch, (void*)number);
            Interrupts.RouteIoApic(number, vector, level: true);
        }

        if (line.Count == HandlersPerLine)
        {
            return Errno.ENOMEM;
        }

        line.Handlers[line.Count] = (nint)handler;
        line.Arguments[line.Count] = (nint)argument;
        line.Count++;
        return Errno.None;
    }

    private static void Dispatch(void* number)
    {
        Line line = s_lines![(int)number];
        for (int index = 0; index < line.Count; index++)
        {
            ((delegate*<void*, void>)line.Handlers[index])((void*)line.Arguments[index]);
        }
    }
}
