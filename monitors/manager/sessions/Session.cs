// One program started through the rack tool, from Start until Exited. Lives in SessionTable's array of slots; a slot is used again, so
// messages from processor components carry an id with a generation, and whatever names an older one finds nothing.
//
// What the tool says about a session (credit, signals, the window's size) is kept here as state and not as a queue: it adds up or replaces
// itself, so nothing has to be dropped however long the processor component takes.

using System.Runtime.CompilerServices;
using Lego.Common.Control;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

public enum SessionState : byte
{
    Free = 0,
    /// <summary>Its thread is placing and starting the program.</summary>
    Starting,
    /// <summary>The tool has got Started.</summary>
    Running,
    /// <summary>The program has ended, or its processor component has failed; its thread tells the tool and frees the slot.</summary>
    Ended,
}

/// <summary>What the tool has said about one output stream and the program's side does not know yet.</summary>
public struct OutputNews
{
    /// <summary>Credit that comes back.</summary>
    public uint Bytes;
    /// <summary>What writes give from now on; None while the stream is open.</summary>
    public Errno Status;
    /// <summary>The program's side knows Status.</summary>
    public bool StatusTold;

    public readonly bool IsEmpty => Bytes == 0 && (Status == Errno.None || StatusTold);
}

/// <summary>State of a session. Written by the poller and by the session's own thread, both under the kernel lock.</summary>
public unsafe struct Session
{
    /// <summary>Streams that a program writes to: output and error.</summary>
    public const int OutputStreams = 2;

    /// <summary>
    /// Bytes of standard input that may be here: what the program's side has asked for, and a message that it has got and whose answer is
    /// on its way.
    /// </summary>
    public const int InputBytes = StreamRequest.InputWindowBytes + StreamRequest.MaxBytes;

    /// <summary>Frames to the tool that may wait here: the credit of both streams, and some for what costs none.</summary>
    public const int OutputBytes = (OutputStreams * StreamRequest.OutputWindowBytes) + PageOperations.PageSize;

    /// <summary>Frames of memory for both; taken when the program starts.</summary>
    public const int BufferPages = (InputBytes + OutputBytes) / PageOperations.PageSize;

    public SessionState State;
    /// <summary>Name on the fabric: generation times the number of slots, plus the slot.</summary>
    public uint Id;
    /// <summary>Name on the control channel, chosen by the tool.</summary>
    public ushort Tag;
    /// <summary>Where the user wants the program to run; 0 leaves it to the manager.</summary>
    public ushort Wanted;
    /// <summary>The vNode that it is to run in; 0 = the rack itself.</summary>
    public ushort VNode;
    /// <summary>Where the program runs; 0 until placed.</summary>
    public ushort Processor;
    /// <summary>0 until StartProcess has been answered.</summary>
    public uint ProcessId;
    /// <summary>The program has ended because its processor component has failed.</summary>
    public bool IsLost;
    /// <summary>As wait(2) encodes it; valid from Ended on.</summary>
    public uint WaitStatus;

    /// <summary>What StartProcess will say; Place is filled by the session's thread.</summary>
    public StartProcessRequest Request;
    /// <summary>The strings of the Start frame, <see cref="StringPages"/> frames; freed once the program runs.</summary>
    public byte* Strings;
    public ulong StringPages;

    /// <summary>Memory of <see cref="BufferPages"/> frames: the input's ring, then the output's.</summary>
    public byte* Buffers;

    /// <summary>Frames for the tool, in the order in which the processor component sent what they say.</summary>
    public FrameRing Output;
    public NewsTable News;

    /// <summary>Standard input between the tool's frames and the processor component.</summary>
    public FixedRing Input;
    /// <summary>Wanted reads that what is in the ring answers.</summary>
    public ushort InputAnswered;
    /// <summary>The tool has sent an end of file that the program's side does not know yet.</summary>
    public bool InputEnds;

    /// <summary>Signals to deliver, bit N - 1 for signal N, to the foreground group and to the whole session.</summary>
    public ulong ForegroundSignals;
    public ulong SessionSignals;

    /// <summary>The window has another size: Request.TerminalRows, TerminalColumns.</summary>
    public bool WindowChanged;

    /// <summary>The tool has gone; nothing is sent to it, and the program gets SIGHUP.</summary>
    public bool Abandoned;

    /// <summary>The session's thread waits here for something to do.</summary>
    public WaitQueue Work;

    /// <summary>By stream number, less one.</summary>
    [InlineArray(OutputStreams)]
    public struct NewsTable
    {
        private OutputNews _first;
    }
}
