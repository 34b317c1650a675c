// Payload of a Start frame: u32 flags (StartFlags), u32 argument count, u32 environment count, u16 terminal rows, u16 columns, u16 node of
// the processor component that the program is to run on (0: the manager chooses), u16 vNode (0: the rack itself), 36 bytes of struct
// termios; then the working directory, the arguments and the environment, each ended by a zero byte. The first argument is also the
// program's name.

using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;

namespace Lego.Common.Control;

/// <summary>A checked view of a Start payload.</summary>
public readonly ref struct StartFrame
{
    /// <summary>Bytes before the strings.</summary>
    public const int HeadBytes = ModesOffset + 36;

    /// <summary>Where the node stands.</summary>
    public const int ProcessorOffset = 16;

    private const int ModesOffset = 20;

    /// <summary>Longest strings: they travel to the processor component in one message.</summary>
    public const int MaxStringBytes = 56 * 1024;

    public readonly StartFlags Flags;
    public readonly uint ArgumentCount;
    public readonly uint EnvironmentCount;
    public readonly ushort TerminalRows;
    public readonly ushort TerminalColumns;
    public readonly ushort Processor;
    public readonly ushort VNode;
    public readonly TerminalAttributes Modes;
    public readonly ReadOnlySpan<byte> Strings;

    private StartFrame(ReadOnlySpan<byte> payload)
    {
        Flags = (StartFlags)BinaryPrimitives.ReadUInt32LittleEndian(payload);
        ArgumentCount = BinaryPrimitives.ReadUInt32LittleEndian(payload.Slice(4));
        EnvironmentCount = BinaryPrimitives.ReadUInt32LittleEndian(payload.Slice(8));
        TerminalRows = BinaryPrimitives.ReadUInt16LittleEndian(payload.Slice(12));
        TerminalColumns = BinaryPrimitives.ReadUInt16LittleEndian(payload.Slice(14));
        Processor = BinaryPrimitives.ReadUInt16LittleEndian(payload.Slice(ProcessorOffset));
        VNode = BinaryPrimitives.ReadUInt16LittleEndian(payload.Slice(ProcessorOffset + sizeof(ushort)));
        Modes = MemoryMarshal.Read<TerminalAttributes>(payload.Slice(ModesOffset));
        Strings = payload.Slice(HeadBytes);
    }

    /// <summary>
    /// EINVAL: too short, no argument, or not exactly as many strings as announced. E2BIG: more than <see cref="MaxStringBytes"/>.
    /// </summary>
    public static Kernel.Errno Parse(ReadOnlySpan<byte> payload, out StartFrame frame)
    {
        frame = default;
        if (payload.Length < HeadBytes)
        {
            return Kernel.Errno.EINVAL;
        }

        StartFrame candidate = new(payload);
        if (candidate.Strings.Length > MaxStringBytes)
        {
            return Kernel.Errno.E2BIG;
        }

        ulong wanted = 1UL + candidate.ArgumentCount + candidate.EnvironmentCount;
        bool terminated = candidate.Strings.Length > 0 && candidate.Strings[candidate.Strings.Length - 1] == 0;
        if (candidate.ArgumentCount == 0 || !terminated || CountTerminators(candidate.Strings) != wanted)
        {
            return Kernel.Errno.EINVAL;
        }

        frame = candidate;
        return Kernel.Errno.None;
    }

    private static ulong CountTerminators(ReadOnlySpan<byte> strings)
    {
        ulong count = 0;
        for (int index = 0; index < strings.Length; index++)
        {
            if (strings[index] == 0)
            {
                count++;
            }
        }

        return count;
    }
}
