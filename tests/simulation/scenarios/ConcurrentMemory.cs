// Programs map, protect, unmap, fork and exec while others look at them through /proc: each program's memory must be what it made it, every
// access that Linux refuses must be a SIGSEGV, and foreign readers must not leave lines where nothing is mapped.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using CsCheck;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Operations of the memory scenario.</summary>
internal enum MemoryStep
{
    Map,
    Unmap,
    Protect,
    Store,
    Load,
    Fork,
    Execute,
    UnmapArguments,
    MapOverArguments,
    ReadCommandLine,
    ReadOtherCommandLine,
    Crowd,
    ForkBoth,
    Discard,
    Move,
    Kinds,
}

/// <summary>Random memory operations of two or three programs and their children; <paramref name="kinds"/> of them, or all.</summary>
internal sealed class ConcurrentMemory(string name, int moreMemories, params MemoryStep[] kinds) : Scenario
{
    private const int Slots = 8;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong CrowdArea = 0x20_0000_0000;
    private const int CrowdPages = 48;
    private const int FixedAnonymous = 0x32;
    private const ulong DoNotNeed = 4;
    private const ulong MayMoveFixed = 3;
    private const int LongArgumentBytes = 3 * 4096;
    private const int ShortLived = 6;
    private const int FirstProcess = 1;
    private const int Processes = 12;

    /// <summary>Memory components are drained meanwhile.</summary>
    internal bool Drains { get; init; }

    internal override string Name => name;

    internal override Gen<Step[][]> Plans => kinds.Length == 0
        ? RandomPlans.Programs((int)MemoryStep.Kinds, 2, 3, 3, 12)
        : RandomPlans.Programs([.. kinds.Select(kind => (int)kind)], 2, 3, 3, 12);

    /// <summary>Several components, too: what a program does with its memory concerns nobody else.</summary>
    internal override RackOptions Options(Choices choices)
    {
        RackOptions options = RackOptions.Any(choices) with { MoreProcessors = choices.Next(3), MoreMemories = moreMemories };
        if (moreMemories == 0)
        {
            return options;
        }

        // So small that the programs' few pages have several owners.
        ulong[] regions = [PageBytes, 2 * PageBytes, 16 * PageBytes];
        return options with
        {
            RegionBytes = regions[choices.Next(regions.Length)],
            BootLine = options.BootLine + " placement=round-robin",
        };
    }

    internal override string Describe(Step step) => $"{(MemoryStep)step.Kind}({step.A % Slots}, {1 + (step.B % 3)}, {step.C})";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(ShortLived, program =>
        {
            program.Load(program.Stack);
            program.Exit(0);
        });
        string argument = new('x', LongArgumentBytes);
        for (int index = 0; index < plan.Length; index++)
        {
            Step[] steps = plan[index];
            rack.Simulation.Code.SetProgram(index, program => new MemoryUser(program, rack).Play(steps));
        }

        ushort[] sessions = [.. plan.Select((_, index) => rack.Start(index, argument))];
        if (Drains)
        {
            foreach (ushort session in sessions)
            {
                rack.AwaitStart(session);
            }

            foreach (uint status in new Drainer(rack, choices).AwaitEnds(sessions))
            {
                Check.Equal(0u, status, "wait status");
            }

            resources.AreBack();
            return;
        }

        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
            rack.CheckInvariants();
        }

        resources.AreBack();
    }

    /// <summary>One program and what its memory must hold.</summary>
    private sealed class MemoryUser(UserProgram program, Rack rack)
    {
        private const int MostDepth = 2;

        private readonly List<long> _children = [];
        private int[] _protections = [.. Enumerable.Repeat(-1, Slots)];
        private byte[] _values = new byte[Slots];
        private bool _hasArguments = true;
        private int _depth;

        internal void Play(Step[] steps)
        {
            for (int index = 0; index < steps.Length; index++)
            {
                Do(steps[index], steps[(index + 1)..]);
                if (rack.Simulation.Choices.Chance(100))
                {
                    rack.CheckInvariants();
                }
            }

            CheckAll(program);
            foreach (long child in _children)
            {
                Await(child);
            }
        }

        private void Do(Step step, Step[] rest)
        {
            int first = step.A % Slots;
            int count = Math.Min(1 + (step.B % 3), Slots - first);
            ulong address = Area + ((ulong)first * PageBytes);
            ulong length = (ulong)count * PageBytes;
            int protection = (step.C % 4) switch { 0 => 0, 1 => 1, _ => 3 };
            byte value = (byte)(1 + step.B + (step.C * 16) + (program.ProcessId * 7));
            switch ((MemoryStep)step.Kind)
            {
                case MemoryStep.Map:
                    Check.Equal(address, program.Map(address, length, protection, FixedAnonymous), "mmap");
                    _protections.AsSpan(first, count).Fill(protection);
                    _values.AsSpan(first, count).Clear();
                    break;
                case MemoryStep.Unmap:
                    Check.Equal(0, program.Unmap(address, length), "munmap");
                    _protections.AsSpan(first, count).Fill(-1);
                    break;
                case MemoryStep.Protect:
                    int hole = _protections.AsSpan(first, count).IndexOf(-1);
                    Check.Equal(hole < 0 ? 0 : -(long)Errno.ENOMEM, program.Protect(address, length, protection), "mprotect");
                    _protections.AsSpan(first, hole < 0 ? count : hole).Fill(protection);
                    break;
                case MemoryStep.Store:
                    Check.Equal(_protections[first] == 3, program.TryStore(address, value), $"a store to page {first}");
                    _values[first] = _protections[first] == 3 ? value : _values[first];
                    break;
                case MemoryStep.Load:
                    CheckPage(program, first);
                    break;
                case MemoryStep.Fork:
                    Await(program.Fork(CheckAll));
                    break;
                case MemoryStep.Execute:
                    Await(program.Fork(child =>
                    {
                        long error = child.Execute(ShortLived);
                        throw new CheckFailed($"execve: {error}");
                    }));
                    break;
                case MemoryStep.UnmapArguments:
                    Check.Equal(0, program.Unmap(ArgumentPage, PageBytes), "munmap of arguments");
                    _hasArguments = false;
                    break;
                case MemoryStep.MapOverArguments:
                    Check.Equal(ArgumentPage, program.Map(ArgumentPage, PageBytes, 3, FixedAnonymous), "mmap over arguments");
                    _hasArguments = false;
                    Check.Equal((byte)0, program.Load(ArgumentPage), "a new page over the arguments");
                    break;
                case MemoryStep.ReadCommandLine:
                    ReadCommandLine(program.ProcessId);
                    break;
                case MemoryStep.ReadOtherCommandLine:
                    ReadCommandLine((uint)(FirstProcess + ((step.A + step.B) % Processes)));
                    break;
                case MemoryStep.ForkBoth when _depth < MostDepth && _children.Count < MostDepth:
                    // The child's memory is what the parent's is now, not when it runs.
                    int[] protections = [.. _protections];
                    byte[] values = [.. _values];
                    bool hasArguments = _hasArguments;
                    long forked = program.Fork(child =>
                    {
                        MemoryUser user = new(child, rack)
                        {
                            _protections = protections,
                            _values = values,
                            _hasArguments = hasArguments,
                            _depth = _depth + 1,
                        };
                        user.CheckAll(child);
                        user.Play(rest);
                    });
                    Check.That(forked > 0, $"fork: {forked}");
                    _children.Add(forked);
                    break;
                case MemoryStep.Discard when !_protections.AsSpan(first, count).Contains(-1):
                    Check.Equal(0, program.Call(28, address, length, DoNotNeed), "madvise");
                    _values.AsSpan(first, count).Clear();
                    break;
                case MemoryStep.Move when _protections[first] >= 0 && step.C % Slots != first:
                    int to = step.C % Slots;
                    ulong target = Area + ((ulong)to * PageBytes);
                    Check.Equal((long)target, program.Call(25, address, PageBytes, PageBytes, MayMoveFixed, target), "mremap");
                    (_protections[to], _values[to], _protections[first]) = (_protections[first], _values[first], -1);
                    break;
                case MemoryStep.Crowd:
                    Crowd();
                    break;
                default:
                    break;
            }
        }

        /// <summary>A whole page in the middle of the long argument.</summary>
        private ulong ArgumentPage => (program.Stack + 4096 + (LongArgumentBytes / 2)) & ~(PageBytes - 1);

        private void Await(long child)
        {
            Check.That(child > 0, $"fork: {child}");
            Check.Equal(child, program.WaitFor(child, out uint status), "wait4");
            Check.Equal(0u, status, "a child's wait status");
        }

        /// <summary>All pages; also what a forked child must see.</summary>
        private void CheckAll(UserProgram observer)
        {
            for (int page = 0; page < Slots; page++)
            {
                CheckPage(observer, page);
            }
        }

        private void CheckPage(UserProgram observer, int page)
        {
            bool isReadable = _protections[page] > 0;
            Check.Equal(isReadable, observer.TryLoad(Area + ((ulong)page * PageBytes), out byte value), $"a load from page {page}");
            if (isReadable)
            {
                Check.Equal(_values[page], value, $"page {page}");
            }
        }

        private void ReadCommandLine(uint process)
        {
            long file = program.Open($"/proc/{process}/cmdline", UserProgram.ReadOnly);
            if (file < 0)
            {
                return;
            }

            bool isOwn = process == program.ProcessId;
            long result = program.Read(file, 8192, out byte[] bytes);
            Check.That(result >= 0 || !isOwn, $"reading the own command line: {result}");
            if (isOwn && _hasArguments)
            {
                Check.That(Encoding.ASCII.GetString(bytes).StartsWith("/bin/p", StringComparison.Ordinal), "the own command line");
            }

            program.Close(file);
        }

        /// <summary>Enough pages to push others out of the ExCache.</summary>
        private void Crowd()
        {
            ulong length = CrowdPages * PageBytes;
            Check.Equal(CrowdArea, program.Map(CrowdArea, length, 3, FixedAnonymous), "mmap");
            for (int page = 0; page < CrowdPages; page++)
            {
                program.Store(CrowdArea + ((ulong)page * PageBytes), (byte)page);
            }

            for (int page = 0; page < CrowdPages; page++)
            {
                Check.Equal((byte)page, program.Load(CrowdArea + ((ulong)page * PageBytes)), "a page of the crowd");
            }

            Check.Equal(0, program.Unmap(CrowdArea, length), "munmap");
        }
    }
}
