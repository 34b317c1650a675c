// The files of stand-in programs: real ELF executables, so that loading and exec are real, whose code is never run. The entry point says
// which C# method plays the program.

using System;
using System.Buffers.Binary;

namespace Lego.Simulation;

/// <summary>Static executables with one text page, one data page and some bss.</summary>
internal static class StandInElf
{
    /// <summary>How many different programs there are.</summary>
    internal const int Count = 8;

    /// <summary>Where a program finds memory for its strings and buffers.</summary>
    internal const ulong DataStart = 0x600000;
    internal const ulong DataBytes = 0x40000;

    private const ulong TextStart = 0x400000;
    private const int PageBytes = 4096;
    private const int FileBytes = 2 * PageBytes;
    private const int HeaderBytes = 64;
    private const int ProgramHeaderBytes = 56;

    internal static string NameOf(int number) => $"p{number}";

    internal static ulong EntryOf(int number) => TextStart + 0x200 + ((ulong)number * 16);

    internal static byte[] Make(int number)
    {
        byte[] file = new byte[FileBytes];
        Span<byte> header = file;
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0x464C457F);
        header[4] = 2;
        header[5] = 1;
        header[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(header[18..], 62);
        BinaryPrimitives.WriteUInt32LittleEndian(header[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], EntryOf(number));
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], HeaderBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(header[52..], HeaderBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(header[54..], ProgramHeaderBytes);
        BinaryPrimitives.WriteUInt16LittleEndian(header[56..], 2);
        const uint ReadExecute = 5;
        const uint ReadWrite = 6;
        WriteSegment(header[HeaderBytes..], ReadExecute, 0, TextStart, PageBytes, PageBytes);
        WriteSegment(header[(HeaderBytes + ProgramHeaderBytes)..], ReadWrite, PageBytes, DataStart, PageBytes, DataBytes);
        return file;
    }

    private static void WriteSegment(Span<byte> header, uint flags, ulong offset, ulong address, ulong fileBytes, ulong memoryBytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, 1);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], flags);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], fileBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], memoryBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], PageBytes);
    }
}
