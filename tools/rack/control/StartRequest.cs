// What the manager needs to start a program: its words, its environment, its working directory, where it is to run and what its streams
// are. Payload of a Start frame: u32 flags, u32 argc, u32 envc, u16 rows, u16 columns, u16 node, u16 vNode, struct termios, then
// cwd\0, argv\0..., envp\0... (the same strings as StartProcess carries). Strings are any bytes; HostArguments says how they are held
// in .NET's.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;

namespace Lego.Racks;

/// <summary>Which standard streams are terminals; the values of the images' StartFlags.</summary>
[Flags]
internal enum StartFlags : uint
{
    None = 0,
    StandardInputIsTerminal = 1,
    StandardOutputIsTerminal = 2,
    StandardErrorIsTerminal = 4,
}

/// <summary>A program to start.</summary>
internal sealed record StartRequest
{
    /// <summary>Fixed part of the payload.</summary>
    public const int HeaderBytes = ModesOffset + HostTerminal.ModesBytes;
    /// <summary>Most bytes of all strings: they travel in one message today (the images' StartFrame.MaxStringBytes).</summary>
    public const int MostStringBytes = 56 * 1024;
    private const int NodeOffset = 16;
    private const int ModesOffset = 20;

    /// <summary>The program and its arguments; the first word is both the name to look up and argv[0].</summary>
    public required IReadOnlyList<string> Arguments { get; init; }
    /// <summary>KEY=VALUE words.</summary>
    public IReadOnlyList<string> Environment { get; init; } = [];
    public string WorkingDirectory { get; init; } = "/";
    public StartFlags Flags { get; init; }
    public ushort TerminalRows { get; init; }
    public ushort TerminalColumns { get; init; }
    /// <summary>The processor component to run on; 0 leaves the choice to the manager.</summary>
    public int Node { get; init; }
    /// <summary>The vNode to run in, by its number; 0 is the rack itself.</summary>
    public int VNode { get; init; }
    /// <summary>struct termios of the user's terminal; all zero without one.</summary>
    public ReadOnlyMemory<byte> Modes { get; init; } = new byte[HostTerminal.ModesBytes];

    /// <summary>The Start frame's payload.</summary>
    public byte[] ToPayload()
    {
        using MemoryStream payload = new();
        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)Arguments.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], (uint)Environment.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(header[12..], TerminalRows);
        BinaryPrimitives.WriteUInt16LittleEndian(header[14..], TerminalColumns);
        BinaryPrimitives.WriteUInt16LittleEndian(header[NodeOffset..], (ushort)Node);
        BinaryPrimitives.WriteUInt16LittleEndian(header[(NodeOffset + sizeof(ushort))..], (ushort)VNode);
        Modes.Span.CopyTo(header[ModesOffset..]);
        payload.Write(header);
        WriteString(payload, WorkingDirectory);
        foreach (string argument in Arguments)
        {
            WriteString(payload, argument);
        }

        foreach (string variable in Environment)
        {
            WriteString(payload, variable);
        }

        if (payload.Length > HeaderBytes + MostStringBytes)
        {
            throw new ToolException(ExitStatus.NotExecutable,
                $"the arguments are too long (E2BIG): with the environment they have {payload.Length - HeaderBytes:N0} bytes; "
                + $"{MostStringBytes:N0} is the most today");
        }

        return payload.ToArray();
    }

    /// <summary>Reads a payload back; null when it is malformed.</summary>
    public static StartRequest? Parse(ReadOnlySpan<byte> payload)
    {
        if (payload.Length < HeaderBytes)
        {
            return null;
        }

        uint argumentCount = BinaryPrimitives.ReadUInt32LittleEndian(payload[4..]);
        uint environmentCount = BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]);
        List<string> strings = new();
        ReadOnlySpan<byte> rest = payload[HeaderBytes..];
        while (!rest.IsEmpty)
        {
            int end = rest.IndexOf((byte)0);
            if (end < 0)
            {
                return null;
            }

            strings.Add(HostArguments.Decode(rest[..end]));
            rest = rest[(end + 1)..];
        }

        if (argumentCount == 0 || strings.Count != 1 + (long)argumentCount + environmentCount)
        {
            return null;
        }

        return new StartRequest
        {
            Flags = (StartFlags)BinaryPrimitives.ReadUInt32LittleEndian(payload),
            TerminalRows = BinaryPrimitives.ReadUInt16LittleEndian(payload[12..]),
            TerminalColumns = BinaryPrimitives.ReadUInt16LittleEndian(payload[14..]),
            Node = BinaryPrimitives.ReadUInt16LittleEndian(payload[NodeOffset..]),
            VNode = BinaryPrimitives.ReadUInt16LittleEndian(payload[(NodeOffset + sizeof(ushort))..]),
            Modes = payload[ModesOffset..HeaderBytes].ToArray(),
            WorkingDirectory = strings[0],
            Arguments = strings.GetRange(1, (int)argumentCount),
            Environment = strings.GetRange(1 + (int)argumentCount, (int)environmentCount),
        };
    }

    private static void WriteString(MemoryStream payload, string text)
    {
        payload.Write(HostArguments.Encode(text));
        payload.WriteByte(0);
    }
}
