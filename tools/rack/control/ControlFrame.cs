// Frames of the control channel, which joins the rack tool with each machine (a virtio-serial port; monitors' side: ControlChannel) and the
// keeper of a rack with its clients. Little endian: u32 length of the rest, u16 type, u16 session, payload. Types below 100 are spoken with
// the images and must equal theirs; types from 100 on are between the tool's own processes.

using System;
using System.Buffers.Binary;

namespace Lego.Racks;

/// <summary>What a frame says.</summary>
internal enum ControlFrameType : ushort
{
    // tool -> component; 1 carries a u32 version
    Hello = 1,
    HelloReply = 2,
    Statistics = 3,
    StatisticsReply = 4,
    Shutdown = 9,
    Ping = 11,
    Pong = 12,

    // tool <-> manager, per session
    Start = 5,
    Started = 6,
    StandardInput = 7,
    StandardInputEnd = 8,
    Signal = 10,
    StandardOutput = 13,
    StandardError = 14,
    Exited = 15,
    /// <summary>To the tool: u32 bytes, u32 reads. So many reads of standard input are wanted, each answered by one frame.</summary>
    StandardInputWanted = 16,
    /// <summary>To the manager: u32 stream, u32 bytes of frames with their headers that have been written.</summary>
    StandardOutputTaken = 17,
    /// <summary>To the manager: u32 stream, u32 errno. Nothing more will be written.</summary>
    StandardOutputClosed = 18,
    /// <summary>To the manager: the session's client has gone.</summary>
    Hangup = 19,
    List = 20,
    ListReply = 21,
    MemberFailed = 22,
    /// <summary>To the tool: a line of the rack about the program, for standard error.</summary>
    Sentence = 23,
    /// <summary>To the tool: u32 action of tcsetattr(3), struct termios.</summary>
    TerminalModes = 24,
    /// <summary>To the manager: u16 rows, u16 columns.</summary>
    WindowSize = 25,
    /// <summary>To the tool, before Exited: u32 node. The program has ended because this processor component has.</summary>
    ProgramLost = 26,
    /// <summary>To the manager: u32 node. The component's machine has ended unasked. Reply: RackLives.</summary>
    MachineEnded = 27,
    /// <summary>To the tool: u32 node of MachineEnded, u32 1 when the rack goes on without it.</summary>
    RackLives = 28,
    /// <summary>To the manager: words about vNodes (VNodes.cs). Reply: VNodeReply with u32 errno, text.</summary>
    VNode = 40,
    VNodeReply = 41,
    /// <summary>
    /// To the manager: u32 node, u32 1 drain or 0 no more. Reply: DrainReply with u32 errno, u32 runs left, u32 failures, u32 last error,
    /// u64 pages, u64 pause in ns.
    /// </summary>
    Drain = 42,
    DrainReply = 43,

    // client <-> keeper
    /// <summary>Payload: a component's name. Reply: StatisticsReply.</summary>
    ComponentStatistics = 100,
    /// <summary>Asks for the lines of `lego ps`. Reply: DescribeReply.</summary>
    Describe = 101,
    DescribeReply = 102,
    /// <summary>Ends the rack in good order. Reply: DownReply with empty text, or what went wrong.</summary>
    Down = 103,
    DownReply = 104,
    /// <summary>Payload: a port as `lego publish` takes it. Reply: PublishReply with empty text, or what went wrong.</summary>
    Publish = 105,
    PublishReply = 106,
}

/// <summary>One frame.</summary>
internal readonly record struct ControlFrame(ControlFrameType Type, ushort Session, ReadOnlyMemory<byte> Payload)
{
    /// <summary>Version that Hello carries.</summary>
    public const uint ProtocolVersion = 2;
    /// <summary>Bytes before the payload: length, type, session.</summary>
    public const int HeaderBytes = 8;
    /// <summary>A longer frame means that the two sides have lost step.</summary>
    public const int MostPayloadBytes = 1 << 20;

    private const int LengthFieldBytes = 4;

    /// <summary>The frame as it travels.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[HeaderBytes + Payload.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)(bytes.Length - LengthFieldBytes));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(4), (ushort)Type);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6), Session);
        Payload.Span.CopyTo(bytes.AsSpan(HeaderBytes));
        return bytes;
    }

    /// <summary>Reads a header; false when the length is impossible.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> header, out ControlFrameType type, out ushort session, out int payloadBytes)
    {
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(header);
        type = (ControlFrameType)BinaryPrimitives.ReadUInt16LittleEndian(header[4..]);
        session = BinaryPrimitives.ReadUInt16LittleEndian(header[6..]);
        payloadBytes = 0;
        if (length < HeaderBytes - LengthFieldBytes || length > MostPayloadBytes + HeaderBytes)
        {
            return false;
        }

        payloadBytes = (int)length - (HeaderBytes - LengthFieldBytes);
        return true;
    }

    /// <summary>The payload's u32 at an index, or 0 when it is too short.</summary>
    public uint Number(int index)
    {
        int offset = index * sizeof(uint);
        return Payload.Length >= offset + sizeof(uint) ? BinaryPrimitives.ReadUInt32LittleEndian(Payload.Span[offset..]) : 0;
    }

    /// <summary>The payload from an offset on as text.</summary>
    public string Text(int offset = 0) => Payload.Length <= offset ? "" : System.Text.Encoding.UTF8.GetString(Payload.Span[offset..]);

    public static ControlFrame WithNumber(ControlFrameType type, ushort session, uint number)
    {
        byte[] payload = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, number);
        return new ControlFrame(type, session, payload);
    }

    public static ControlFrame WithNumbers(ControlFrameType type, uint first, uint second)
    {
        byte[] payload = new byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, first);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(sizeof(uint)), second);
        return new ControlFrame(type, 0, payload);
    }

    public static ControlFrame WithText(ControlFrameType type, string text) => new(type, 0, System.Text.Encoding.UTF8.GetBytes(text));
}
