// The initial stack of a program (System V ABI for x86-64, section 3.4.1, and what Linux's create_elf_tables adds): from the top down a
// zero word, the file's name, environment strings, argument strings, the platform's name, 16 random bytes, the auxiliary vector, envp,
// argv and argc, at which the 16-byte-aligned stack pointer points.
// Runs in a worker; may block when memory is short.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Writes strings and vectors into the stack's pages.</summary>
internal unsafe ref struct StackBuilder
{
    /// <summary>Strings and pointers may take a quarter of the stack (execve(2), "Limits on size of arguments").</summary>
    private const ulong MaxArgumentBytes = AddressLayout.StackBytes / 4;
    private const int AuxiliaryEntries = 20;
    private const ulong ClockTicksPerSecond = 100;

    private readonly SpaceWriter _memory;
    private ulong _address;
    private Errno _error;

    internal StackBuilder(SpaceWriter memory)
    {
        _memory = memory;
        _address = AddressLayout.StackTop;
        _error = Errno.None;
    }

    internal ulong ArgumentStart { get; private set; }

    internal ulong ArgumentEnd { get; private set; }

    internal ulong StackPointer { get; private set; }

    /// <summary>Builds all of it. E2BIG, ENOMEM.</summary>
    internal Errno Build(in ProgramArguments arguments, in ProgramImage image, ulong interpreterBase, in ExecuteRequest request)
    {
        ulong pointers = 1 + (ulong)arguments.ArgumentCount + 1 + arguments.EnvironmentCount + 1 + (AuxiliaryEntries * 2);
        if (arguments.StringBytes + (pointers * sizeof(ulong)) > MaxArgumentBytes)
        {
            return Errno.E2BIG;
        }

        _address -= sizeof(ulong);
        ulong fileName = Push(arguments.FileName);
        ulong environment = Push(arguments.Environment);
        ArgumentStart = Push(arguments.Arguments);
        ArgumentEnd = environment;
        _address &= ~15UL;
        ulong platform = Push("x86_64\0"u8);
        ulong seed0 = request.Seed0;
        ulong seed1 = request.Seed1;
        Push(new ReadOnlySpan<byte>(&seed1, sizeof(ulong)));
        ulong random = Push(new ReadOnlySpan<byte>(&seed0, sizeof(ulong)));

        _address = (_address - (pointers * sizeof(ulong))) & ~15UL;
        StackPointer = _address;
        PutWord(arguments.ArgumentCount);
        PutPointers(arguments.Arguments, ArgumentStart);
        PutWord(0);
        PutPointers(arguments.Environment, environment);
        PutWord(0);
        PutAuxiliaryVector(image, interpreterBase, request, fileName, platform, random);
        return _error;
    }

    private void PutAuxiliaryVector(in ProgramImage image, ulong interpreterBase, in ExecuteRequest request, ulong fileName, ulong platform,
        ulong random)
    {
        PutPair(AuxiliaryType.VdsoImage, AddressLayout.VdsoCode);
        PutPair(AuxiliaryType.HardwareCapabilities, request.HardwareCapabilities);
        PutPair(AuxiliaryType.PageSize, PageOperations.PageSize);
        PutPair(AuxiliaryType.ClockTicks, ClockTicksPerSecond);
        PutPair(AuxiliaryType.ProgramHeaders, image.ProgramHeaders);
        PutPair(AuxiliaryType.ProgramHeaderSize, (ulong)sizeof(ElfProgramHeader));
        PutPair(AuxiliaryType.ProgramHeaderCount, image.ProgramHeaderCount);
        PutPair(AuxiliaryType.InterpreterBase, interpreterBase);
        PutPair(AuxiliaryType.Flags, 0);
        PutPair(AuxiliaryType.Entry, image.Entry);
        PutPair(AuxiliaryType.UserId, request.UserId);
        PutPair(AuxiliaryType.EffectiveUserId, request.UserId);
        PutPair(AuxiliaryType.GroupId, request.GroupId);
        PutPair(AuxiliaryType.EffectiveGroupId, request.GroupId);
        PutPair(AuxiliaryType.Secure, 0);
        PutPair(AuxiliaryType.Random, random);
        PutPair(AuxiliaryType.HardwareCapabilities2, 0);
        PutPair(AuxiliaryType.FileName, fileName);
        PutPair(AuxiliaryType.Platform, platform);
        PutPair(AuxiliaryType.End, 0);
    }

    /// <summary>Puts bytes below everything so far; returns where they begin.</summary>
    private ulong Push(ReadOnlySpan<byte> bytes)
    {
        _address -= (ulong)bytes.Length;
        Write(_address, bytes);
        return _address;
    }

    /// <summary>Writes the address of each string of a block.</summary>
    private void PutPointers(ReadOnlySpan<byte> block, ulong blockAddress)
    {
        int start = 0;
        for (int position = 0; position < block.Length; position++)
        {
            if (block[position] == 0)
            {
                PutWord(blockAddress + (ulong)start);
                start = position + 1;
            }
        }
    }

    private void PutPair(AuxiliaryType type, ulong value)
    {
        PutWord((ulong)type);
        PutWord(value);
    }

    private void PutWord(ulong value)
    {
        Write(_address, new ReadOnlySpan<byte>(&value, sizeof(ulong)));
        _address += sizeof(ulong);
    }

    private void Write(ulong address, ReadOnlySpan<byte> bytes)
    {
        if (_error == Errno.None)
        {
            _error = _memory.Write(address, bytes);
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
    }
}
