// Programs map files privately, write to the mappings and to the files, read, cut, grow and replace the files, fork and exec. A page that a
// mapping has not written to is the file's, whatever happens to the file; one that it has written to is its own; and a child begins with
// what its parent had.

using System;
using System.Linq;
using CsCheck;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Operations of the scenario.</summary>
internal enum MappedFileStep
{
    Map,
    MapShared,
    Unmap,
    Protect,
    Load,
    Store,
    WriteFile,
    WritePart,
    ReadFile,
    Resize,
    Replace,
    Fork,
    Execute,
    Crowd,
    Kinds,
}

/// <summary>
/// Random operations of two or three programs, each on files of its own and, if they run on one processor component, on one that never
/// changes: what is open at one component outlives for a while its removal by another.
/// </summary>
internal sealed class MappedFiles(string name, int moreProcessors) : Scenario
{
    private const int Slots = 3;
    private const int Pages = 4;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong SlotBytes = 0x10_0000;
    private const ulong CrowdArea = 0x20_0000_0000;
    private const int CrowdPages = 40;
    private const int Private = 2;
    private const int Shared = 1;
    private const int Fixed = 0x10;
    private const int FixedAnonymous = 0x32;
    private const int ShortLived = 6;
    private const int Preparer = 5;
    private const int Cleaner = 4;
    private const int PartOffset = 128;
    private const int PartBytes = 64;
    private const string Common = "/tmp/common";
    private const byte CommonValue = 200;

    internal override string Name => name;

    internal override Gen<Step[][]> Plans => RandomPlans.Programs((int)MappedFileStep.Kinds, 2, 3, 3, 14);

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with { MoreProcessors = moreProcessors };

    internal override string Describe(Step step) => $"{(MappedFileStep)step.Kind}({step.A % Slots}, {step.B % Pages}, {step.C})";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(Preparer, program =>
        {
            long file = program.Open(Common, UserProgram.Create | UserProgram.ReadWrite);
            for (int page = 0; page < Pages; page++)
            {
                WritePage(program, file, page, (byte)(CommonValue + page));
            }

            program.Close(file);
        });
        rack.Simulation.Code.SetProgram(Cleaner, program => program.Unlink(Common));
        Check.Equal(0u, rack.AwaitExit(rack.Start(Preparer)), "wait status of who prepares");
        rack.Simulation.Code.SetProgram(ShortLived, program =>
        {
            program.Load(program.Stack);
            program.Exit(0);
        });
        for (int index = 0; index < plan.Length; index++)
        {
            Step[] steps = plan[index];
            string path = $"/tmp/own{index}";
            rack.Simulation.Code.SetProgram(index, program => new Mapper(program, rack, path, usesCommon: moreProcessors == 0).Play(steps));
        }

        ushort[] sessions = [.. plan.Select((_, index) => rack.Start(index))];
        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
            rack.CheckInvariants();
        }

        rack.AwaitExit(rack.Start(Cleaner));
        resources.AreBack();
    }

    private static void WritePage(UserProgram program, long file, int page, byte value)
    {
        byte[] bytes = new byte[PageBytes];
        bytes.AsSpan().Fill(value);
        Check.Equal((long)PageBytes, program.WriteAt(file, (ulong)page * PageBytes, bytes), "pwrite of a page");
    }

    /// <summary>One version of a file: two values of each page, at its beginning and in the part that is written alone.</summary>
    private sealed class Contents
    {
        internal readonly byte[] First = new byte[Pages];
        internal readonly byte[] Part = new byte[Pages];
        internal int PageCount;
    }

    /// <summary>A mapping, and the pages of it that have been written to.</summary>
    private sealed class Mapping
    {
        internal required Contents File;
        internal bool IsWritable;
        internal bool IsShared;
        internal byte?[] First = new byte?[Pages];
        internal byte?[] Part = new byte?[Pages];

        internal Mapping Copy() => new()
        {
            File = File,
            IsWritable = IsWritable,
            IsShared = IsShared,
            First = [.. First],
            Part = [.. Part],
        };
    }

    /// <summary>One process and what its mappings must hold.</summary>
    private sealed class Mapper(UserProgram program, Rack rack, string path, bool usesCommon)
    {
        private readonly Mapping?[] _mappings = new Mapping?[Slots];
        private readonly Contents _common = new() { PageCount = Pages };
        private Contents _own = new();
        private long _file = -1;

        internal void Play(Step[] steps)
        {
            for (int page = 0; page < Pages; page++)
            {
                _common.First[page] = (byte)(CommonValue + page);
                _common.Part[page] = (byte)(CommonValue + page);
            }

            Replace(1);
            foreach (Step step in steps)
            {
                Do(step);
                if (rack.Simulation.Choices.Chance(100))
                {
                    rack.CheckInvariants();
                }
            }

            CheckAll();
            program.Unlink(path);
        }

        private void Do(Step step)
        {
            int slot = step.A % Slots;
            int page = step.B % Pages;
            byte value = (byte)(1 + step.B + (step.C * 16));
            Mapping? mapping = _mappings[slot];
            switch ((MappedFileStep)step.Kind)
            {
                case MappedFileStep.Map:
                    Map(slot, isCommon: usesCommon && step.C % 3 == 0, isWritable: step.C % 2 == 0, Private);
                    break;
                case MappedFileStep.MapShared:
                    Map(slot, isCommon: usesCommon && step.C % 3 == 0, isWritable: false, Shared);
                    break;
                case MappedFileStep.Unmap:
                    Check.Equal(0, program.Unmap(AddressOf(slot, 0), Pages * PageBytes), "munmap");
                    _mappings[slot] = null;
                    break;
                case MappedFileStep.Protect when mapping is { IsShared: false }:
                    mapping.IsWritable = !mapping.IsWritable;
                    Check.Equal(0, program.Protect(AddressOf(slot, 0), Pages * PageBytes, mapping.IsWritable ? 3 : 1), "mprotect");
                    break;
                case MappedFileStep.Load:
                    CheckPage(slot, page);
                    break;
                case MappedFileStep.Store:
                    Store(slot, page, value);
                    break;
                case MappedFileStep.WriteFile when page <= _own.PageCount:
                    WritePage(program, _file, page, value);
                    _own.First[page] = value;
                    _own.Part[page] = value;
                    _own.PageCount = Math.Max(_own.PageCount, page + 1);
                    break;
                case MappedFileStep.WritePart when page < _own.PageCount:
                    byte[] part = new byte[PartBytes];
                    part.AsSpan().Fill(value);
                    Check.Equal((long)PartBytes, program.WriteAt(_file, ((ulong)page * PageBytes) + PartOffset, part), "pwrite of a part");
                    _own.Part[page] = value;
                    break;
                case MappedFileStep.ReadFile:
                    ulong inPage = step.C % 2 == 0 ? 0 : PartOffset + 1UL;
                    ReadFile(((ulong)page * PageBytes) + inPage, step.C % 3 == 0 ? PartBytes : step.C % 3 * (int)PageBytes);
                    break;
                case MappedFileStep.Resize:
                    Resize(step.B % (Pages + 1));
                    break;
                case MappedFileStep.Replace:
                    Replace(value);
                    break;
                case MappedFileStep.Fork:
                    Fork(page, value);
                    break;
                case MappedFileStep.Execute:
                    Await(program.Fork(child =>
                    {
                        long error = child.Execute(ShortLived);
                        throw new CheckFailed($"execve: {error}");
                    }));
                    break;
                case MappedFileStep.Crowd:
                    Crowd();
                    break;
                default:
                    break;
            }
        }

        private static ulong AddressOf(int slot, int page) => Area + ((ulong)slot * SlotBytes) + ((ulong)page * PageBytes);

        private void Map(int slot, bool isCommon, bool isWritable, int kind)
        {
            long file = isCommon ? program.Open(Common, UserProgram.ReadOnly) : _file;
            ulong address = AddressOf(slot, 0);
            Check.Equal(address, program.Map(address, Pages * PageBytes, isWritable ? 3 : 1, kind | Fixed, file), "mmap of a file");
            _mappings[slot] = new Mapping { File = isCommon ? _common : _own, IsWritable = isWritable, IsShared = kind == Shared };
            if (isCommon)
            {
                program.Close(file);
            }
        }

        private void Store(int slot, int page, byte value)
        {
            Mapping? mapping = _mappings[slot];
            bool isAllowed = mapping is { IsWritable: true } && page < mapping.File.PageCount;
            if (mapping is { IsWritable: true } && !isAllowed)
            {
                // SIGBUS, which the programs of the simulation do not survive.
                return;
            }

            Check.Equal(isAllowed, program.TryStore(AddressOf(slot, page), value), $"a store to page {page} of mapping {slot}");
            if (isAllowed)
            {
                mapping!.Part[page] ??= mapping.File.Part[page];
                mapping.First[page] = value;
            }
        }

        /// <summary>Twice, because the second time the pages may be resident.</summary>
        private void ReadFile(ulong offset, int count)
        {
            for (int round = 0; round < 2; round++)
            {
                int expected = (int)Math.Clamp((_own.PageCount * (long)PageBytes) - (long)offset, 0, count);
                Check.Equal((long)expected, program.ReadAt(_file, offset, count, out byte[] bytes), "pread");
                for (int index = 0; index < expected; index++)
                {
                    int page = (int)((offset + (ulong)index) / PageBytes);
                    bool isPart = (int)((offset + (ulong)index) % PageBytes) is >= PartOffset and < PartOffset + PartBytes;
                    Check.Equal(isPart ? _own.Part[page] : _own.First[page], bytes[index], $"byte {index} of {count} read at {offset}");
                }
            }
        }

        private void Resize(int pages)
        {
            Check.Equal(0, program.Truncate(_file, (ulong)pages * PageBytes), "ftruncate");
            for (int page = pages; page < Pages; page++)
            {
                _own.First[page] = 0;
                _own.Part[page] = 0;
                foreach (Mapping? mapping in _mappings.Where(mapping => mapping?.File == _own))
                {
                    mapping!.First[page] = null;
                    mapping.Part[page] = null;
                }
            }

            _own.PageCount = pages;
        }

        private void Replace(byte value)
        {
            if (_file >= 0)
            {
                program.Close(_file);
                program.Unlink(path);
            }

            _own = new Contents { PageCount = 2 };
            _file = program.Open(path, UserProgram.Create | UserProgram.ReadWrite);
            Check.That(_file >= 0, $"open: {_file}");
            for (int page = 0; page < _own.PageCount; page++)
            {
                WritePage(program, _file, page, value);
                _own.First[page] = value;
                _own.Part[page] = value;
            }
        }

        /// <summary>The child sees what the parent has, and what it writes is its own.</summary>
        private void Fork(int page, byte value)
        {
            Await(program.Fork(child =>
            {
                Mapper copy = new(child, rack, path, usesCommon) { _own = _own, _file = _file };
                for (int slot = 0; slot < Slots; slot++)
                {
                    copy._mappings[slot] = _mappings[slot]?.Copy();
                }

                copy.CheckAll();
                for (int slot = 0; slot < Slots; slot++)
                {
                    copy.Store(slot, page, (byte)(value + 1));
                }

                copy.CheckAll();
            }));
            CheckAll();
        }

        private void Await(long child)
        {
            Check.That(child > 0, $"fork: {child}");
            Check.Equal(child, program.WaitFor(child, out uint status), "wait4");
            Check.Equal(0u, status, "a child's wait status");
        }

        private void CheckAll()
        {
            for (int slot = 0; slot < Slots; slot++)
            {
                for (int page = 0; page < Pages; page++)
                {
                    CheckPage(slot, page);
                }
            }
        }

        private void CheckPage(int slot, int page)
        {
            Mapping? mapping = _mappings[slot];
            ulong address = AddressOf(slot, page);
            if (mapping != null && page >= mapping.File.PageCount)
            {
                return;
            }

            Check.Equal(mapping != null, program.TryLoad(address, out byte first), $"a load from page {page} of mapping {slot}");
            if (mapping != null)
            {
                Check.Equal(mapping.First[page] ?? mapping.File.First[page], first, $"page {page} of mapping {slot}");
                program.TryLoad(address + PartOffset, out byte part);
                Check.Equal(mapping.Part[page] ?? mapping.File.Part[page], part, $"the part of page {page} of mapping {slot}");
            }
        }

        /// <summary>Enough pages to push others out of the ExCache.</summary>
        private void Crowd()
        {
            const ulong Length = CrowdPages * PageBytes;
            Check.Equal(CrowdArea, program.Map(CrowdArea, Length, 3, FixedAnonymous), "mmap");
            for (int page = 0; page < CrowdPages; page++)
            {
                program.Store(CrowdArea + ((ulong)page * PageBytes), (byte)page);
            }

            Check.Equal(0, program.Unmap(CrowdArea, Length), "munmap");
        }
    }
}
