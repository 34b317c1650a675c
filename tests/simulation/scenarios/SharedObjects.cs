// Processes share a file through writable mappings, read and write it by calls as well, synchronize, fork and push each other's pages out.
// Each has bytes of its own in every page, so it knows what it must find there, by whatever way it looks; and at the end the file has them
// all.

using System;
using System.Linq;
using CsCheck;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Operations of the scenario.</summary>
internal enum SharedStep
{
    Store,
    StoreMore,
    Load,
    ReadCall,
    WriteCall,
    Synchronize,
    SynchronizeFile,
    Remap,
    MapPrivately,
    Resize,
    Fork,
    Crowd,
    Kinds,
}

/// <summary>Random operations of two or three programs of one processor component.</summary>
internal sealed class SharedObjects : Scenario
{
    private const int Pages = 4;
    /// <summary>Pages that only the first program uses, and cuts off and has again.</summary>
    private const int CutPages = 2;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong PrivateArea = 0x11_0000_0000;
    private const ulong CrowdArea = 0x20_0000_0000;
    private const int CrowdPages = 40;
    private const int FixedAnonymous = 0x32;
    private const int FixedShared = 0x11;
    private const int FixedPrivate = 0x12;
    private const int Synchronous = 4;
    private const int Preparer = 6;
    private const int Checker = 5;
    private const string Path = "/tmp/shared";

    internal override string Name => "shared-objects";

    internal override Gen<Step[][]> Plans => RandomPlans.Programs((int)SharedStep.Kinds, 2, 3, 3, 14);

    internal override string Describe(Step step) => $"{(SharedStep)step.Kind}({step.A % Pages}, {step.B}, {step.C})";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        byte[][] last = [.. plan.Select(_ => new byte[Pages + CutPages])];
        rack.Simulation.Code.SetProgram(Preparer, program =>
        {
            long file = program.Open(Path, UserProgram.Create | UserProgram.ReadWrite);
            Check.Equal(0, program.Truncate(file, (Pages + CutPages) * PageBytes), "ftruncate");
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(Preparer)), "wait status of who prepares");
        int end = Pages + CutPages;
        for (int index = 0; index < plan.Length; index++)
        {
            int number = index;
            rack.Simulation.Code.SetProgram(index, program =>
            {
                Sharer sharer = new(program, rack, number, last[number]);
                sharer.Play(plan[number]);
                end = number == 0 ? sharer.End : end;
            });
        }

        ushort[] sessions = [.. plan.Select((_, index) => rack.Start(index))];
        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
            rack.CheckInvariants();
        }

        rack.Simulation.Code.SetProgram(Checker, program =>
        {
            long file = program.Open(Path, UserProgram.ReadOnly);
            for (int page = 0; page < end; page++)
            {
                program.ReadAt(file, (ulong)page * PageBytes, last.Length, out byte[] bytes);
                for (int number = 0; number < last.Length; number++)
                {
                    Check.That(bytes.Length == last.Length && bytes[number] == last[number][page],
                        $"page {page} of the file has not what program {number} stored last");
                }
            }

            program.Unlink(Path);
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(Checker)), "wait status of who checks");
        resources.AreBack();
    }

    /// <summary>One process; <paramref name="values"/>: what its byte of each page must be.</summary>
    private sealed class Sharer(UserProgram program, Rack rack, int number, byte[] values)
    {
        private long _file;

        /// <summary>Pages that the file has.</summary>
        internal int End { get; private set; } = Pages + CutPages;

        private int UsedPages => number == 0 ? End : Pages;

        internal void Play(Step[] steps)
        {
            _file = program.Open(Path, UserProgram.ReadWrite);
            MapAll();
            foreach (Step step in steps)
            {
                Do(step);
                if (rack.Simulation.Choices.Chance(100))
                {
                    rack.CheckInvariants();
                }
            }

            CheckAll(program);
        }

        private void Do(Step step)
        {
            int page = step.A % UsedPages;
            byte value = (byte)(1 + step.B + (step.C * 16));
            switch ((SharedStep)step.Kind)
            {
                case SharedStep.Store or SharedStep.StoreMore:
                    program.Store(AddressOf(page), value);
                    values[page] = value;
                    break;
                case SharedStep.Load:
                    CheckPage(program, page);
                    break;
                case SharedStep.ReadCall:
                    CheckCall(page);
                    break;
                case SharedStep.WriteCall:
                    Check.Equal(1, program.WriteAt(_file, OffsetOf(page), [value]), "pwrite");
                    values[page] = value;
                    CheckPage(program, page);
                    break;
                case SharedStep.Synchronize:
                    Check.Equal(0, program.Call(26, Area, Pages * PageBytes, Synchronous), "msync");
                    break;
                case SharedStep.SynchronizeFile:
                    Check.Equal(0, program.Synchronize(_file), "fsync");
                    break;
                case SharedStep.Remap:
                    Check.Equal(0, program.Unmap(Area, (Pages + CutPages) * PageBytes), "munmap");
                    CheckCall(page);
                    MapAll();
                    break;
                case SharedStep.MapPrivately:
                    Check.Equal(PrivateArea, program.Map(PrivateArea, Pages * PageBytes, 3, FixedPrivate, _file), "mmap");
                    page %= Pages;
                    ulong copy = PrivateArea + OffsetOf(page);
                    Check.Equal(values[page], program.Load(copy), $"page {page} of a private mapping");
                    program.Store(copy, (byte)~value);
                    CheckPage(program, page);
                    Check.Equal((byte)~value, program.Load(copy), "a page of its own");
                    break;
                case SharedStep.Resize when number == 0:
                    End = Pages + (step.B % (CutPages + 1));
                    Check.Equal(0, program.Truncate(_file, (ulong)End * PageBytes), "ftruncate");
                    values.AsSpan(End).Clear();
                    break;
                case SharedStep.Fork:
                    Fork(page, value);
                    break;
                case SharedStep.Crowd:
                    Crowd();
                    break;
                default:
                    break;
            }
        }

        private ulong OffsetOf(int page) => ((ulong)page * PageBytes) + (ulong)number;

        private ulong AddressOf(int page) => Area + OffsetOf(page);

        private void MapAll() =>
            Check.Equal(Area, program.Map(Area, (Pages + CutPages) * PageBytes, 3, FixedShared, _file), "mmap of a file, shared");

        /// <summary>What the child stores, the parent has.</summary>
        private void Fork(int page, byte value)
        {
            long child = program.Fork(copy =>
            {
                CheckAll(copy);
                copy.Store(AddressOf(page), (byte)(value + 1));
            });
            Check.That(child > 0, $"fork: {child}");
            Check.Equal(child, program.WaitFor(child, out uint status), "wait4");
            Check.Equal(0u, status, "a child's wait status");
            values[page] = (byte)(value + 1);
            CheckPage(program, page);
        }

        private void CheckAll(UserProgram observer)
        {
            for (int page = 0; page < UsedPages; page++)
            {
                CheckPage(observer, page);
            }
        }

        private void CheckPage(UserProgram observer, int page) =>
            Check.Equal(values[page], observer.Load(AddressOf(page)), $"page {page} as program {number} has mapped it");

        private void CheckCall(int page)
        {
            program.ReadAt(_file, OffsetOf(page), 1, out byte[] bytes);
            Check.That(bytes.Length == 1 && bytes[0] == values[page], $"page {page} as program {number} reads it");
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
