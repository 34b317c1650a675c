// Reads and checks an ELF file through the file cache: a program, or the interpreter that one names (PT_INTERP). A file is an input from
// outside: every offset and size is checked, with overflow in mind, before it is used; whatever does not fit is ENOEXEC. Addresses are the
// file's own until Place moves them. Reads may block while the cache fetches from the storage component.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Turns a file into a <see cref="ProgramImage"/>.</summary>
internal static unsafe class ElfReader
{
    /// <summary>Linux refuses more than 64 KB of program headers.</summary>
    private const ulong MaxProgramHeaderBytes = 65_536;
    /// <summary>Largest segment alignment that the load address of a position-independent executable honours.</summary>
    private const ulong MaxAlignment = 1UL << 30;
    /// <summary>PATH_MAX; Linux refuses longer interpreter names.</summary>
    internal const ulong MaxInterpreterBytes = 4096;

    /// <summary>ENOEXEC for anything that is not a well-formed executable or shared object for this machine; else what reading the file
    /// says.</summary>
    internal static Errno Read(FileCache files, CachedFile* file, out ProgramImage image)
    {
        image = default;
        Errno error = ReadStruct(files, file, 0, out ElfHeader header);
        if (error != Errno.None)
        {
            return error;
        }

        ulong tableBytes = (ulong)header.ProgramHeaderCount * (ulong)sizeof(ElfProgramHeader);
        if (header.Magic != ElfHeader.ExpectedMagic || header.Class != ElfHeader.Class64 || header.Data != ElfHeader.LittleEndian
            || header.IdentVersion != ElfHeader.CurrentVersion || header.Machine != ElfHeader.MachineX8664
            || (header.Type != ElfHeader.TypeExecutable && header.Type != ElfHeader.TypeShared)
            || header.ProgramHeaderSize != sizeof(ElfProgramHeader) || tableBytes == 0 || tableBytes > MaxProgramHeaderBytes
            || !IsInFile(file, header.ProgramHeaderOffset, tableBytes))
        {
            return Errno.ENOEXEC;
        }

        image.ProgramHeaderCount = header.ProgramHeaderCount;
        image.Entry = header.Entry;
        image.IsMovable = header.Type == ElfHeader.TypeShared;
        image.Alignment = PageOperations.PageSize;
        for (ulong index = 0; index < header.ProgramHeaderCount; index++)
        {
            ulong offset = header.ProgramHeaderOffset + (index * (ulong)sizeof(ElfProgramHeader));
            error = ReadStruct(files, file, offset, out ElfProgramHeader entry);
            if (error == Errno.None)
            {
                error = Take(file, header, entry, ref image);
            }

            if (error != Errno.None)
            {
                return error;
            }
        }

        return image.SegmentCount == 0 ? Errno.ENOEXEC : Errno.None;
    }

    /// <summary>The path that PT_INTERP names, with its terminator; the buffer has room for <see cref="MaxInterpreterBytes"/>.</summary>
    internal static Errno ReadInterpreter(FileCache files, CachedFile* file, in ProgramImage image, Span<byte> buffer, out int length)
    {
        length = (int)image.InterpreterBytes;
        Errno error = ReadExactly(files, file, image.InterpreterOffset, buffer.Slice(0, length));
        return error == Errno.None && buffer[length - 1] != 0 ? Errno.ENOEXEC : error;
    }

    /// <summary>Adds the load address (modulo 2^64), and checks that everything lies in user space, below the stack.</summary>
    internal static Errno Place(ulong bias, ref ProgramImage image)
    {
        image.Entry += bias;
        if (image.Entry >= AddressLayout.TaskSize)
        {
            return Errno.ENOEXEC;
        }

        for (int index = 0; index < image.SegmentCount; index++)
        {
            ref ProgramSegment segment = ref image.Segments[index];
            segment.Address += bias;
            // The stack and its guard lie above; a page is left for brk.
            ulong highest =
                AddressLayout.StackTop - AddressLayout.StackBytes - AddressLayout.StackGuardBytes - (2 * PageOperations.PageSize);
            if (segment.Address < AddressLayout.LowestAddress || segment.Address > highest
                || segment.MemoryBytes > highest - segment.Address)
            {
                return Errno.ENOEXEC;
            }
        }

        if (image.ProgramHeaders != 0)
        {
            image.ProgramHeaders += bias;
        }

        return Errno.None;
    }

    /// <summary>Reads exactly so many bytes; ENOEXEC when the file ends before.</summary>
    internal static Errno ReadExactly(FileCache files, CachedFile* file, ulong offset, Span<byte> bytes)
    {
        Errno error = files.Read(file, offset, bytes, out int readBytes);
        return error == Errno.None && readBytes < bytes.Length ? Errno.ENOEXEC : error;
    }

    private static Errno ReadStruct<T>(FileCache files, CachedFile* file, ulong offset, out T value) where T : unmanaged
    {
        T result = default;
        Errno error = ReadExactly(files, file, offset, new Span<byte>(&result, sizeof(T)));
        value = result;
        return error;
    }

    private static bool IsInFile(CachedFile* file, ulong offset, ulong bytes) => offset <= file->Size && bytes <= file->Size - offset;

    private static Errno Take(CachedFile* file, in ElfHeader header, in ElfProgramHeader entry, ref ProgramImage image)
    {
        switch (entry.Type)
        {
            case ElfProgramHeader.TypeInterpreter:
                // The first one counts.
                bool isName = entry.FileBytes >= 2 && entry.FileBytes <= MaxInterpreterBytes
                    && IsInFile(file, entry.FileOffset, entry.FileBytes);
                if (image.InterpreterBytes == 0 && isName)
                {
                    image.InterpreterOffset = entry.FileOffset;
                    image.InterpreterBytes = (uint)entry.FileBytes;
                }

                return isName ? Errno.None : Errno.ENOEXEC;
            case ElfProgramHeader.TypeGnuStack:
                image.HasExecutableStack = (entry.Flags & ElfProgramHeader.FlagExecute) != 0;
                return Errno.None;
            case ElfProgramHeader.TypeLoad:
                break;
            default:
                return Errno.None;
        }

        const ulong InPage = PageOperations.PageSize - 1;
        if (entry.FileBytes > entry.MemoryBytes || (entry.Address & InPage) != (entry.FileOffset & InPage)
            || !IsInFile(file, entry.FileOffset, entry.FileBytes)
            || entry.Address >= AddressLayout.TaskSize || entry.MemoryBytes > AddressLayout.TaskSize - entry.Address)
        {
            return Errno.ENOEXEC;
        }

        if (entry.MemoryBytes == 0)
        {
            return Errno.None;
        }

        if (image.SegmentCount == ProgramImage.MaxSegments)
        {
            return Errno.ENOEXEC;
        }

        ref ProgramSegment segment = ref image.Segments[image.SegmentCount++];
        segment.Address = entry.Address;
        segment.MemoryBytes = entry.MemoryBytes;
        segment.FileOffset = entry.FileOffset;
        segment.FileBytes = entry.FileBytes;
        segment.Protection = ProtectionOf(entry.Flags);
        bool isPowerOfTwo = (entry.Alignment & (entry.Alignment - 1)) == 0;
        if (isPowerOfTwo && entry.Alignment > image.Alignment && entry.Alignment <= MaxAlignment)
        {
            image.Alignment = entry.Alignment;
        }

        ulong headersInSegment = header.ProgramHeaderOffset - entry.FileOffset;
        if (header.ProgramHeaderOffset >= entry.FileOffset && headersInSegment < entry.FileBytes && image.ProgramHeaders == 0)
        {
            image.ProgramHeaders = entry.Address + headersInSegment;
        }

        return Errno.None;
    }

    private static Protection ProtectionOf(uint flags) =>
        ((flags & ElfProgramHeader.FlagRead) != 0 ? Protection.Read : Protection.None)
        | ((flags & ElfProgramHeader.FlagWrite) != 0 ? Protection.Write : Protection.None)
        | ((flags & ElfProgramHeader.FlagExecute) != 0 ? Protection.Execute : Protection.None);
}
