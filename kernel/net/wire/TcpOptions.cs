// The options of a TCP header: maximum segment size (RFC 9293, 3.2), window scale and timestamps (RFC 7323), selective acknowledgments
// (RFC 2018), user timeout (RFC 5482). Unknown options are skipped by their length; an option that is malformed ends the list, and what
// came before it counts (RFC 9293, MUST-7: no error).

using System;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>A range of sequence numbers that has been received; the right edge is the first number that has not.</summary>
public struct SackBlock
{
    public uint Left;
    public uint Right;
}

/// <summary>Room for as many blocks as fit into a header.</summary>
[InlineArray(TcpOptions.MaximumSackBlocks)]
public struct SackBlocks
{
    private SackBlock _first;
}

/// <summary>What a header's options say. Zero-initialised = no option.</summary>
public ref struct TcpOptions
{
    /// <summary>40 bytes hold four blocks (RFC 2018, 3).</summary>
    public const int MaximumSackBlocks = 4;

    /// <summary>The largest shift that may be used (RFC 7323, 2.3).</summary>
    public const int MaximumWindowScale = 14;

    /// <summary>Bytes of the timestamps option with the padding that RFC 7323, appendix A, recommends.</summary>
    public const int TimestampsBytes = 12;

    private const byte EndOfList = 0;
    private const byte NoOperation = 1;
    private const byte MaximumSegmentSize = 2;
    private const byte WindowScaleKind = 3;
    private const byte SackPermittedKind = 4;
    private const byte Sack = 5;
    private const byte Timestamps = 8;
    private const byte UserTimeout = 28;

    private const int MaximumSegmentSizeBytes = 4;
    private const int WindowScaleBytes = 3;
    private const int SackPermittedBytes = 2;
    private const int TimestampsOptionBytes = 10;
    private const int UserTimeoutBytes = 4;
    private const int SackBlockBytes = 8;

    /// <summary>
    /// NOP, NOP, timestamps, 10: the only option of nearly every segment (RFC 7323, appendix A), as a little-endian word.
    /// </summary>
    private const uint PaddedTimestamps = 0x0A080101;

    /// <summary>Bytes; 0 = not given.</summary>
    public ushort Mss;

    public bool HasWindowScale;

    /// <summary>The shift, at most 14.</summary>
    public byte WindowScale;

    public bool IsSackPermitted;
    public bool HasTimestamps;

    /// <summary>TSval.</summary>
    public uint TimestampValue;

    /// <summary>TSecr.</summary>
    public uint TimestampEcho;

    /// <summary>RFC 5482's field; 0 = not given.</summary>
    public ushort UserTimeoutField;

    public int SackCount;
    public SackBlocks SackBlocks;

    /// <summary>Reads all options.</summary>
    public static void Parse(ReadOnlySpan<byte> bytes, scoped ref TcpOptions options)
    {
        if (bytes.Length == TimestampsBytes && BinaryPrimitives.ReadUInt32LittleEndian(bytes) == PaddedTimestamps)
        {
            options.ReadTimestamps(bytes[2..]);
            return;
        }

        while (bytes.Length > 0 && bytes[0] != EndOfList)
        {
            if (bytes[0] == NoOperation)
            {
                bytes = bytes[1..];
                continue;
            }

            if (bytes.Length < 2 || bytes[1] < 2 || bytes[1] > bytes.Length)
            {
                return;
            }

            options.Read(bytes[..bytes[1]]);
            bytes = bytes[bytes[1]..];
        }
    }

    private void Read(ReadOnlySpan<byte> option)
    {
        switch (option[0])
        {
            case MaximumSegmentSize when option.Length == MaximumSegmentSizeBytes:
                Mss = BinaryPrimitives.ReadUInt16BigEndian(option[2..]);
                break;
            case WindowScaleKind when option.Length == WindowScaleBytes:
                HasWindowScale = true;
                WindowScale = option[2] > MaximumWindowScale ? (byte)MaximumWindowScale : option[2];
                break;
            case SackPermittedKind when option.Length == SackPermittedBytes:
                IsSackPermitted = true;
                break;
            case Timestamps when option.Length == TimestampsOptionBytes:
                ReadTimestamps(option);
                break;
            case UserTimeout when option.Length == UserTimeoutBytes:
                UserTimeoutField = BinaryPrimitives.ReadUInt16BigEndian(option[2..]);
                break;
            case Sack when option.Length > 2 && (option.Length - 2) % SackBlockBytes == 0:
                ReadSack(option[2..]);
                break;
        }
    }

    private void ReadTimestamps(ReadOnlySpan<byte> option)
    {
        HasTimestamps = true;
        TimestampValue = BinaryPrimitives.ReadUInt32BigEndian(option[2..]);
        TimestampEcho = BinaryPrimitives.ReadUInt32BigEndian(option[6..]);
    }

    private void ReadSack(ReadOnlySpan<byte> blocks)
    {
        SackCount = 0;
        for (; blocks.Length >= SackBlockBytes && SackCount < MaximumSackBlocks; blocks = blocks[SackBlockBytes..])
        {
            SackBlocks[SackCount].Left = BinaryPrimitives.ReadUInt32BigEndian(blocks);
            SackBlocks[SackCount].Right = BinaryPrimitives.ReadUInt32BigEndian(blocks[4..]);
            SackCount++;
        }
    }

    /// <summary>Writes the options, padded to whole words; gives the number of bytes. With timestamps at most three blocks fit.</summary>
    public readonly int Write(Span<byte> destination)
    {
        int length = 0;
        if (Mss != 0)
        {
            destination[length] = MaximumSegmentSize;
            destination[length + 1] = MaximumSegmentSizeBytes;
            BinaryPrimitives.WriteUInt16BigEndian(destination[(length + 2)..], Mss);
            length += MaximumSegmentSizeBytes;
        }

        if (HasTimestamps)
        {
            length += WriteTimestamps(destination[length..], TimestampValue, TimestampEcho);
        }

        if (IsSackPermitted)
        {
            destination[length] = NoOperation;
            destination[length + 1] = NoOperation;
            destination[length + 2] = SackPermittedKind;
            destination[length + 3] = SackPermittedBytes;
            length += sizeof(uint);
        }

        if (HasWindowScale)
        {
            destination[length] = NoOperation;
            destination[length + 1] = WindowScaleKind;
            destination[length + 2] = WindowScaleBytes;
            destination[length + 3] = WindowScale;
            length += sizeof(uint);
        }

        if (UserTimeoutField != 0)
        {
            destination[length] = UserTimeout;
            destination[length + 1] = UserTimeoutBytes;
            BinaryPrimitives.WriteUInt16BigEndian(destination[(length + 2)..], UserTimeoutField);
            length += UserTimeoutBytes;
        }

        return SackCount == 0 ? length : length + WriteSack(destination[length..]);
    }

    /// <summary>Writes the padded timestamps option and nothing else, as nearly every segment has it; gives the number of bytes.</summary>
    public static int WriteTimestamps(Span<byte> destination, uint value, uint echo)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, PaddedTimestamps);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], value);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], echo);
        return TimestampsBytes;
    }

    private readonly int WriteSack(Span<byte> destination)
    {
        destination[0] = NoOperation;
        destination[1] = NoOperation;
        destination[2] = Sack;
        destination[3] = (byte)(2 + (SackCount * SackBlockBytes));
        int length = sizeof(uint);
        for (int index = 0; index < SackCount; index++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination[length..], SackBlocks[index].Left);
            BinaryPrimitives.WriteUInt32BigEndian(destination[(length + 4)..], SackBlocks[index].Right);
            length += SackBlockBytes;
        }

        return length;
    }
}
