// The initial stack of a program (System V ABI for x86-64, section 3.4.1, and what Linux's create_elf_tables adds): from the top down a
// zero word, the file's name, environment strings, argument strings, the platform's name, 16 random bytes; then, at which the
// 16-byte-aligned stack pointer points, argc, argv, envp and the auxiliary vector. Written into lines of the new space here, where the
// words are and where the program will read them: no message carries them, and a vector of megabytes is no different from a short one.
//
// Strings are copied downwards, the last first, through a buffer; then the pointers are found by reading the strings again. A process whose
// other threads change the strings meanwhile gets what it deserves, but nothing else is harmed: what is written is bounded by the counts
// that were taken first.
//
// Limits are Linux's (execve(2), "Limits on size of arguments and environment"): 128 KB a string, and for all strings and pointers a
// quarter of the stack's limit, at most 6 MB and at least 128 KB. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes one stack.</summary>
internal unsafe ref struct ProgramStack
{
    /// <summary>MAX_ARG_STRLEN, with the terminator.</summary>
    private const int MaxStringBytes = 128 * 1024;
    /// <summary>ARG_MAX: what every program may have.</summary>
    private const ulong LeastBytes = 128 * 1024;
    /// <summary>Three quarters of the default stack.</summary>
    private const ulong MostBytes = 6UL << 20;
    private const ulong ClockTicksPerSecond = 100;
    private const int ProgramHeaderBytes = 56;
    private const int AuxiliaryEntries = 21;

    private readonly Process* _process;
    private readonly AddressSpace* _space;
    private readonly Span<byte> _buffer;
    /// <summary>
    /// What is pushed lies in the buffer from here on, and will end at <see cref="_address"/>; once all is pushed, words begin there.
    /// </summary>
    private int _start;
    private ulong _address;
    private int _wordBytes;
    /// <summary>What the strings may still take.</summary>
    private ulong _leftBytes;
    private Errno _error;

    private ProgramStack(Process* process, AddressSpace* space, ulong top, Span<byte> buffer)
    {
        _process = process;
        _space = space;
        _buffer = buffer;
        _start = buffer.Length;
        _address = top;
    }

    private readonly ulong Bottom => _address - (ulong)(_buffer.Length - _start);

    /// <summary>
    /// Builds all of it in a space that its home has just made, reading the words from the process's present one, and notes in the space
    /// where things are. E2BIG, EFAULT (of the words), ENOMEM.
    /// </summary>
    public static Errno Build(Process* process, AddressSpace* space, in ProgramWords words, in ExecuteReply program, Span<byte> buffer,
        out ulong stackPointer)
    {
        ProgramStack stack = new(process, space, program.StackTop, buffer);
        stack.Build(in words, in program, out stackPointer);
        return stack._error;
    }

    private void Build(scoped in ProgramWords words, in ExecuteReply program, out ulong stackPointer)
    {
        stackPointer = 0;
        ulong quarter = _process->Limits[2 * ResourceLimit.Stack] / 4;
        ulong limit = Math.Max(Math.Min(quarter, MostBytes), LeastBytes);
        uint arguments = Count(words.ArgumentArray, words.ArgumentBlock, limit);
        uint environment = Count(words.EnvironmentArray, words.EnvironmentBlock, limit);
        if (_error != Errno.None)
        {
            return;
        }

        bool addsEmpty = arguments == 0 && words.HeadCount == 0;
        uint skipped = words.SkipsFirst && arguments != 0 ? 1u : 0;
        ulong argumentCount = words.HeadCount + (arguments - skipped) + (addsEmpty ? 1u : 0);
        ulong pointerBytes = (argumentCount + environment) * sizeof(ulong);
        if (pointerBytes >= limit)
        {
            _error = Errno.E2BIG;
            return;
        }

        _leftBytes = limit - pointerBytes + sizeof(ulong);
        Push(0);
        ulong fileName = Push(words.Name);
        _space->EnvironmentEnd = fileName;
        PushStrings(words.EnvironmentArray, words.EnvironmentBlock, environment, 0);
        _space->ArgumentEnd = Bottom;
        if (addsEmpty)
        {
            // Linux since 5.18 gives a program without arguments an empty first one.
            Push("\0"u8);
        }

        PushStrings(words.ArgumentArray, words.ArgumentBlock, arguments, skipped);
        _space->ArgumentStart = Push(words.Head);
        _leftBytes = ulong.MaxValue;
        Push("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"u8.Slice(0, (int)(Bottom & 15)));
        ulong platform = Push("x86_64\0"u8);
        Push(_process->Table.Random.NextWord());
        ulong random = Push(_process->Table.Random.NextWord());
        Flush();

        ulong vectorBytes = ((1 + argumentCount + 1 + environment + 1) * sizeof(ulong)) + (AuxiliaryEntries * 2 * sizeof(ulong));
        stackPointer = (_address - vectorBytes) & ~15UL;
        _address = stackPointer;
        PutWord(argumentCount);
        PutPointers(_space->ArgumentStart, argumentCount);
        PutWord(0);
        PutPointers(_space->ArgumentEnd, environment);
        PutWord(0);
        _space->AuxiliaryStart = _address + (ulong)_wordBytes;
        PutAuxiliaryVector(in program, fileName, platform, random);
        FlushWords();
    }

    /// <summary>How many strings there are. E2BIG: so many that their pointers alone are too much.</summary>
    private uint Count(ulong array, scoped ReadOnlySpan<byte> block, ulong limit)
    {
        uint count = 0;
        if (array == 0)
        {
            foreach (byte value in block)
            {
                count += value == 0 ? 1u : 0;
            }

            return count;
        }

        while (_error == Errno.None)
        {
            _error = new UserPointer<ulong>(array).ReadAt(_process, count, out ulong text);
            if (_error != Errno.None || text == 0)
            {
                break;
            }

            count++;
            _error = count * (ulong)sizeof(ulong) > limit ? Errno.E2BIG : Errno.None;
        }

        return count;
    }

    /// <summary>Pushes the strings of an array or a block, the last first.</summary>
    private void PushStrings(ulong array, scoped ReadOnlySpan<byte> block, uint count, uint skipped)
    {
        if (array == 0)
        {
            Push(skipped == 0 ? block : block.Slice(block.IndexOf((byte)0) + 1));
            return;
        }

        for (uint index = count; index > skipped && _error == Errno.None; index--)
        {
            _error = new UserPointer<ulong>(array).ReadAt(_process, index - 1, out ulong text);
            // An array that has become shorter since it was counted.
            _error = _error == Errno.None && text == 0 ? Errno.EFAULT : _error;
            if (_error == Errno.None)
            {
                PushString(text);
            }
        }
    }

    private void PushString(ulong text)
    {
        Errno error = UserString.Copy(_process, text, _buffer.Slice(0, _start), out int length);
        if (error == Errno.ENAMETOOLONG && _start != _buffer.Length)
        {
            Flush();
            error = _error != Errno.None ? _error : UserString.Copy(_process, text, _buffer, out length);
        }

        if (error == Errno.ENAMETOOLONG)
        {
            PushLongString(text);
            return;
        }

        int bytes = length + 1;
        _error = error != Errno.None ? error : Spend(bytes);
        if (_error == Errno.None)
        {
            _buffer.Slice(0, bytes).CopyTo(_buffer.Slice(_start - bytes));
            _start -= bytes;
        }
    }

    /// <summary>
    /// A string that does not fit into the buffer, which is empty: measured first, then copied in pieces, the last first.
    /// </summary>
    private void PushLongString(ulong text)
    {
        int length = 0;
        Errno error;
        do
        {
            Span<byte> piece = _buffer.Slice(0, Math.Min(_buffer.Length, MaxStringBytes - length));
            error = UserString.Copy(_process, text + (ulong)length, piece, out int found);
            length += found;
        }
        while (error == Errno.ENAMETOOLONG && length < MaxStringBytes);

        _error = error == Errno.ENAMETOOLONG ? Errno.E2BIG : error != Errno.None ? error : Spend(length);
        Push("\0"u8);
        while (length > 0 && _error == Errno.None)
        {
            Flush();
            int part = Math.Min(length, _buffer.Length);
            length -= part;
            _start = _buffer.Length - part;
            _error = _error != Errno.None ? _error : UserMemory.CopyIn(_process, text + (ulong)length, _buffer.Slice(_start));
        }
    }

    private Errno Spend(int bytes)
    {
        if (_error != Errno.None || (ulong)bytes > _leftBytes)
        {
            return _error != Errno.None ? _error : Errno.E2BIG;
        }

        _leftBytes -= (ulong)bytes;
        return Errno.None;
    }

    private ulong Push(ulong word) => Push(new ReadOnlySpan<byte>(&word, sizeof(ulong)));

    /// <summary>Puts bytes below everything so far; returns where they begin.</summary>
    private ulong Push(scoped ReadOnlySpan<byte> bytes)
    {
        _error = Spend(bytes.Length);
        while (bytes.Length > 0 && _error == Errno.None)
        {
            if (_start == 0)
            {
                Flush();
            }

            int part = Math.Min(bytes.Length, _start);
            _start -= part;
            bytes.Slice(bytes.Length - part).CopyTo(_buffer.Slice(_start));
            bytes = bytes.Slice(0, bytes.Length - part);
        }

        return Bottom;
    }

    /// <summary>Writes what the buffer holds, and empties it.</summary>
    private void Flush()
    {
        ulong bottom = Bottom;
        Write(bottom, _buffer.Slice(_start));
        _address = bottom;
        _start = _buffer.Length;
    }

    /// <summary>The address of each string from here on, read in pieces from where they were put.</summary>
    private void PutPointers(ulong strings, ulong count)
    {
        Span<byte> piece = _buffer.Slice(_buffer.Length / 2);
        ulong end = _space->EnvironmentEnd;
        bool begins = true;
        for (ulong at = strings; count > 0 && at < end && _error == Errno.None;)
        {
            Span<byte> part = piece.Slice(0, (int)Math.Min((ulong)piece.Length, end - at));
            if (LineFaults.CopyFromStranger(_process->Table.Cache, _space, at, part) != Errno.None)
            {
                _error = Errno.ENOMEM;
                return;
            }

            for (int index = 0; index < part.Length && (count > 0 || !begins); index++)
            {
                if (begins)
                {
                    PutWord(at + (ulong)index);
                    count--;
                }

                begins = part[index] == 0;
            }

            at += (ulong)part.Length;
        }
    }

    private void PutAuxiliaryVector(in ExecuteReply program, ulong fileName, ulong platform, ulong random)
    {
        PutPair(AuxiliaryType.VdsoImage, program.VdsoImage);
        PutPair(AuxiliaryType.HardwareCapabilities, Cpu.Features);
        PutPair(AuxiliaryType.LeastSignalStack, ExtendedFrame.LeastStackBytes);
        PutPair(AuxiliaryType.PageSize, PageOperations.PageSize);
        PutPair(AuxiliaryType.ClockTicks, ClockTicksPerSecond);
        PutPair(AuxiliaryType.ProgramHeaders, program.ProgramHeaders);
        PutPair(AuxiliaryType.ProgramHeaderSize, ProgramHeaderBytes);
        PutPair(AuxiliaryType.ProgramHeaderCount, program.ProgramHeaderCount);
        PutPair(AuxiliaryType.InterpreterBase, program.InterpreterBase);
        PutPair(AuxiliaryType.Flags, 0);
        PutPair(AuxiliaryType.Entry, program.Entry);
        PutPair(AuxiliaryType.UserId, _process->UserId);
        PutPair(AuxiliaryType.EffectiveUserId, _process->EffectiveUserId);
        PutPair(AuxiliaryType.GroupId, _process->GroupId);
        PutPair(AuxiliaryType.EffectiveGroupId, _process->EffectiveGroupId);
        bool isSecure = _process->UserId != _process->EffectiveUserId || _process->GroupId != _process->EffectiveGroupId;
        PutPair(AuxiliaryType.Secure, isSecure ? 1u : 0);
        PutPair(AuxiliaryType.Random, random);
        PutPair(AuxiliaryType.HardwareCapabilities2, 0);
        PutPair(AuxiliaryType.FileName, fileName);
        PutPair(AuxiliaryType.Platform, platform);
        PutPair(AuxiliaryType.End, 0);
    }

    private void PutPair(AuxiliaryType type, ulong value)
    {
        PutWord((ulong)type);
        PutWord(value);
    }

    /// <summary>Words go upwards, through the lower half of the buffer.</summary>
    private void PutWord(ulong value)
    {
        if (_wordBytes == _buffer.Length / 2)
        {
            FlushWords();
        }

        MemoryMarshal.Write(_buffer.Slice(_wordBytes), in value);
        _wordBytes += sizeof(ulong);
    }

    private void FlushWords()
    {
        Write(_address, _buffer.Slice(0, _wordBytes));
        _address += (ulong)_wordBytes;
        _wordBytes = 0;
    }

    private void Write(ulong address, scoped ReadOnlySpan<byte> bytes)
    {
        if (_error == Errno.None)
        {
            _error = LineFaults.CopyToStranger(_process, _space, address, bytes);
        }
    }

    /// <summary>AT_* of getauxval(3).</summary>
    private enum AuxiliaryType : ulong
    {
        End = 0,
        ProgramHeaders = 3,
        ProgramHeaderSize = 4,
        ProgramHeaderCount = 5,
        PageSize = 6,
        InterpreterBase = 7,
        Flags = 8,
        Entry = 9,
        UserId = 11,
        EffectiveUserId = 12,
        GroupId = 13,
        EffectiveGroupId = 14,
        Platform = 15,
        HardwareCapabilities = 16,
        ClockTicks = 17,
        Secure = 23,
        Random = 25,
        HardwareCapabilities2 = 26,
        FileName = 31,
        VdsoImage = 33,
        LeastSignalStack = 51,
    }
}
