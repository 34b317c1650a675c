// One program started through the rack tool, from Start until Exited. Lives in SessionTable's array of slots; a slot is used again, so
// messages from processor components carry an id with a generation, and whatever names an older one finds nothing.

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

/// <summary>State of a session. Written by the poller and by the session's own thread, both under the kernel lock.</summary>
public unsafe struct Session
{
    /// <summary>Bytes of standard input that the tool may send ahead (the tool's own limit on unacknowledged bytes).</summary>
    public const int InputBytes = 64 * 1024;

    public const int InputPages = InputBytes / PageOperations.PageSize;

    /// <summary>Signals that can wait for delivery; more in one round trip are dropped.</summary>
    public const int MaxSignals = 8;

    public SessionState State;
    /// <summary>Name on the fabric: generation times the number of slots, plus the slot.</summary>
    public uint Id;
    /// <summary>Name on the control channel, chosen by the tool.</summary>
    public ushort Tag;
    /// <summary>Where the program runs; 0 until placed.</summary>
    public ushort Processor;
    /// <summary>0 until StartProcess has been answered.</summary>
    public uint ProcessId;
    /// <summary>As wait(2) encodes it; valid from Ended on.</summary>
    public uint WaitStatus;

    /// <summary>What StartProcess will say; Place is filled by the session's thread.</summary>
    public StartProcessRequest Request;
    /// <summary>The strings of the Start frame, <see cref="StringPages"/> frames; freed once the program runs.</summary>
    public byte* Strings;
    public ulong StringPages;

    /// <summary>Ring of <see cref="InputBytes"/>; belongs to the slot.</summary>
    public byte* Input;
    public int InputHead;
    public int InputCount;
    /// <summary>How many bytes the next offer to the program's side holds at most.</summary>
    public int OfferBytes;
    /// <summary>The tool has sent StandardInputEnd.</summary>
    public bool InputEnds;
    /// <summary>The program's side knows that.</summary>
    public bool InputEnded;
    /// <summary>Nobody will read any more: bytes are acknowledged and dropped.</summary>
    public bool InputRefused;
    /// <summary>Dropped bytes that the tool has not been told about.</summary>
    public uint InputDropped;

    public fixed uint Signals[MaxSignals];
    public int SignalCount;

    /// <summary>The tool has gone; nothing is sent to it, and the program gets SIGHUP.</summary>
    public bool Abandoned;

    /// <summary>The session's thread waits here for something to do.</summary>
    public WaitQueue Work;
}
