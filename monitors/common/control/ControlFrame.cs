// Frames of the control channel between the rack tool and a component (virtio-serial, both directions, little endian):
//   0  u32 length of what follows this word      4  u16 type      6  u16 session (0 = none)      8  payload
// The view borrows the buffer that it was parsed from. Bytes come from outside the rack: every length is checked before use. A stream that
// has once been malformed cannot be trusted again, because frames carry no marker to find the next one by.

using System;
using System.Buffers.Binary;

namespace Lego.Common.Control;

/// <summary>What a frame says. Odd and even values do not matter; directions do: see each.</summary>
public enum ControlFrameType : ushort
{
    None = 0,
    /// <summary>Tool to component: u32 protocol version. Answered by HelloReply once the component is ready.</summary>
    Hello = 1,
    /// <summary>Component to tool: u32 protocol version, text "kind name ready".</summary>
    HelloReply = 2,
    /// <summary>Tool to component: empty.</summary>
    Statistics = 3,
    /// <summary>Component to tool: lines "name value\n".</summary>
    StatisticsReply = 4,
    /// <summary>Tool to manager: see <see cref="StartFrame"/>; the session number is the tool's name for the program.</summary>
    Start = 5,
    /// <summary>Manager to tool: u32 errno, u32 process id.</summary>
    Started = 6,
    /// <summary>Tool to manager: bytes.</summary>
    StandardInput = 7,
    /// <summary>Tool to manager: empty; end of file after all bytes sent before (of a terminal: of one read).</summary>
    StandardInputEnd = 8,
    /// <summary>Tool to component: flush what is volatile, then leave QEMU.</summary>
    Shutdown = 9,
    /// <summary>Tool to manager: u32 signal number, u32 scope (<see cref="Fabric.Messages.SignalScope"/>).</summary>
    Signal = 10,
    /// <summary>Tool to component: any payload; comes back in Pong.</summary>
    Ping = 11,
    Pong = 12,
    /// <summary>Manager to tool: bytes of standard output.</summary>
    StandardOutput = 13,
    /// <summary>Manager to tool: bytes of standard error.</summary>
    StandardError = 14,
    /// <summary>Manager to tool: u32 status as wait(2) encodes it; the session number is free again.</summary>
    Exited = 15,
    /// <summary>Manager to tool: u32 bytes, u32 reads: read standard input so often, at most so many bytes each time, and send
    /// what came. With 0 bytes: send an empty StandardInput when something can be read.</summary>
    StandardInputWanted = 16,
    /// <summary>
    /// Tool to manager: u32 stream (1 or 2), u32 bytes of frames, headers included, that have been written or thrown away.
    /// </summary>
    StandardOutputTaken = 17,
    /// <summary>Tool to manager: u32 stream (1 or 2), u32 errno that the program's writes give from now on (EPIPE: nobody reads).</summary>
    StandardOutputClosed = 18,
    /// <summary>
    /// Tool to manager: empty; nobody serves the session any more. Its programs get SIGHUP, nothing more is sent about it.
    /// </summary>
    Hangup = 19,
    /// <summary>Tool to manager: empty.</summary>
    List = 20,
    /// <summary>Manager to tool: one line for each member and session.</summary>
    ListReply = 21,
    /// <summary>Manager to tool: a sentence that names the component and the reason.</summary>
    MemberFailed = 22,
    /// <summary>Manager to tool: a line of the rack about the program, for standard error; outside every credit.</summary>
    Sentence = 23,
    /// <summary>Manager to tool: u32 action (<see cref="Fabric.Messages.TerminalAction"/>), 36 bytes of struct termios.</summary>
    TerminalModes = 24,
    /// <summary>Tool to manager: u16 rows, u16 columns.</summary>
    WindowSize = 25,
    /// <summary>Manager to tool, before Exited: u32 node of the processor component that has failed and taken the program along.</summary>
    ProgramLost = 26,
    /// <summary>Tool to manager: u32 node of a component whose machine has ended unasked. Answered by RackLives.</summary>
    MachineEnded = 27,
    /// <summary>Manager to tool: u32 node of MachineEnded, u32 1 when the rack goes on without it.</summary>
    RackLives = 28,
    /// <summary>Tool to manager: words about vNodes (monitors/manager/vnodes/VNodeControl.cs).</summary>
    VNode = 40,
    /// <summary>Manager to tool: u32 errno, text.</summary>
    VNodeReply = 41,
    /// <summary>
    /// Tool to manager: u32 node of a memory component, u32 1 when its vRegions are to be others' and 0 when it may have some again. Asked
    /// again and again until none is left (monitors/manager/DrainControl.cs).
    /// </summary>
    Drain = 42,
    /// <summary>Manager to tool: u32 errno, u32 runs of vRegions left, u32 failures, u32 errno of the last one, u64 pages moved, u64
    /// longest pause in ns.</summary>
    DrainReply = 43,
}

/// <summary>How far the bytes at hand go.</summary>
public enum ControlParse
{
    /// <summary>More bytes are needed.</summary>
    Incomplete,
    /// <summary>A frame was found.</summary>
    Complete,
    /// <summary>The length is impossible: the stream is lost.</summary>
    Malformed,
}

/// <summary>One received frame, in place.</summary>
public readonly ref struct ControlFrame
{
    /// <summary>The version in Hello and HelloReply.</summary>
    public const uint ProtocolVersion = 2;

    /// <summary>Bytes before the payload.</summary>
    public const int HeaderBytes = 8;

    /// <summary>Longest payload; also bounds what a receiver must buffer.</summary>
    public const int MaxPayloadBytes = 64 * 1024;

    private const int LengthOffset = 0;
    private const int TypeOffset = 4;
    private const int SessionOffset = 6;

    /// <summary>Bytes that the length word counts besides the payload: type and session.</summary>
    private const int CountedHeaderBytes = HeaderBytes - TypeOffset;

    public readonly ControlFrameType Type;

    /// <summary>The tool's name for a program; 0 where none is meant.</summary>
    public readonly ushort Session;

    public readonly ReadOnlySpan<byte> Payload;

    public ControlFrame(ControlFrameType type, ushort session, ReadOnlySpan<byte> payload)
    {
        Type = type;
        Session = session;
        Payload = payload;
    }

    /// <summary>Looks for a frame at the start of the bytes; <paramref name="consumed"/> is its whole length when there is one.</summary>
    public static ControlParse Parse(ReadOnlySpan<byte> bytes, out ControlFrame frame, out int consumed)
    {
        frame = default;
        consumed = 0;
        if (bytes.Length < sizeof(uint))
        {
            return ControlParse.Incomplete;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(LengthOffset));
        if (length is < CountedHeaderBytes or > CountedHeaderBytes + MaxPayloadBytes)
        {
            return ControlParse.Malformed;
        }

        int total = (int)length + TypeOffset;
        if (bytes.Length < total)
        {
            return ControlParse.Incomplete;
        }

        frame = new ControlFrame(
            (ControlFrameType)BinaryPrimitives.ReadUInt16LittleEndian(bytes.Slice(TypeOffset)),
            BinaryPrimitives.ReadUInt16LittleEndian(bytes.Slice(SessionOffset)),
            bytes.Slice(HeaderBytes, total - HeaderBytes));
        consumed = total;
        return ControlParse.Complete;
    }

    /// <summary>Reads the 8 bytes that <see cref="WriteHeader"/> wrote.</summary>
    public static void ReadHeader(ReadOnlySpan<byte> header, out ControlFrameType type, out ushort session, out int payloadBytes)
    {
        payloadBytes = (int)BinaryPrimitives.ReadUInt32LittleEndian(header.Slice(LengthOffset)) - CountedHeaderBytes;
        type = (ControlFrameType)BinaryPrimitives.ReadUInt16LittleEndian(header.Slice(TypeOffset));
        session = BinaryPrimitives.ReadUInt16LittleEndian(header.Slice(SessionOffset));
    }

    /// <summary>Writes the 8 bytes before a payload of the given length.</summary>
    public static void WriteHeader(Span<byte> header, ControlFrameType type, ushort session, int payloadBytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header.Slice(LengthOffset), (uint)(CountedHeaderBytes + payloadBytes));
        BinaryPrimitives.WriteUInt16LittleEndian(header.Slice(TypeOffset), (ushort)type);
        BinaryPrimitives.WriteUInt16LittleEndian(header.Slice(SessionOffset), session);
    }
}
