// Threads of one process change its mappings at the same time: pages of one area belong to them in turn, so that their calls split and join
// the same ranges, move break and boundaries under each other's faults, and fork while others are in the middle. Each thread's pages are
// what it made them.

using System;
using System.Linq;
using CsCheck;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Operations of the scenario.</summary>
internal enum MapStep
{
    Map,
    Unmap,
    Protect,
    Store,
    Load,
    Discard,
    Move,
    Break,
    Fork,
    Crowd,
    Kinds,
}

/// <summary>Random operations of two or three threads of one program.</summary>
internal sealed class ThreadsOnOneMap : Scenario
{
    private const int Slots = 6;
    private const ulong PageBytes = 4096;
    private const ulong Area = 0x10_0000_0000;
    private const ulong MovedArea = 0x11_0000_0000;
    private const ulong CrowdArea = 0x20_0000_0000;
    private const ulong CrowdStride = 0x1000_0000;
    private const int CrowdPages = 40;
    private const int FixedAnonymous = 0x32;
    private const int MoveFlags = 3;
    private const int DontNeed = 4;
    private const int BreakPages = 3;

    internal override string Name => "threads-on-one-map";

    internal override Gen<Step[][]> Plans => RandomPlans.Programs((int)MapStep.Kinds, 2, 3, 3, 14);

    internal override string Describe(Step step) => $"{(MapStep)step.Kind}({step.A % Slots}, {step.B}, {step.C})";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        rack.Simulation.Code.SetProgram(0, program =>
        {
            for (int index = 1; index < plan.Length; index++)
            {
                int thread = index;
                Check.That(program.StartThread(other => new Thread(other, rack, thread, plan.Length).Play(plan[thread])) > 0, "clone");
            }

            new Thread(program, rack, 0, plan.Length).Play(plan[0]);
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(0)), "wait status");
        rack.CheckInvariants();
        resources.AreBack();
    }

    /// <summary>A page: where it is, how it may be used (negative: not at all, since it is not mapped) and what it holds.</summary>
    private struct Page
    {
        internal bool IsMoved;
        internal int Protection;
        internal byte Value;
    }

    /// <summary>One thread and what its pages must hold.</summary>
    private sealed class Thread(UserProgram program, Rack rack, int number, int threads)
    {
        private readonly Page[] _pages = [.. Enumerable.Repeat(new Page { Protection = -1 }, Slots)];
        private ulong _breakStart;
        private readonly byte[] _heap = new byte[BreakPages];
        private int _heapPages;

        internal void Play(Step[] steps)
        {
            // The heap belongs to the first thread.
            _breakStart = number == 0 ? ((ulong)program.Call(12) + PageBytes - 1) & ~(PageBytes - 1) : 0;
            foreach (Step step in steps)
            {
                Do(step);
                if (rack.Simulation.Choices.Chance(100))
                {
                    rack.CheckInvariants();
                }
            }

            CheckAll(program);
            program.EndThread(0);
        }

        private ulong AddressOf(int slot) =>
            (_pages[slot].IsMoved ? MovedArea : Area) + ((ulong)((slot * threads) + number) * PageBytes);

        private void Do(Step step)
        {
            int slot = step.A % Slots;
            ref Page page = ref _pages[slot];
            ulong address = AddressOf(slot);
            int protection = (step.C % 4) switch { 0 => 0, 1 => 1, _ => 3 };
            byte value = (byte)(1 + step.B + (step.C * 16));
            switch ((MapStep)step.Kind)
            {
                case MapStep.Map:
                    Check.Equal(address, program.Map(address, PageBytes, protection, FixedAnonymous), "mmap");
                    page = page with { Protection = protection, Value = 0 };
                    break;
                case MapStep.Unmap:
                    Check.Equal(0, program.Unmap(address, PageBytes), "munmap");
                    page = new Page { Protection = -1 };
                    break;
                case MapStep.Protect:
                    Check.Equal(page.Protection < 0 ? -(long)Errno.ENOMEM : 0, program.Protect(address, PageBytes, protection), "mprotect");
                    page.Protection = page.Protection < 0 ? page.Protection : protection;
                    break;
                case MapStep.Store:
                    Check.Equal(page.Protection == 3, program.TryStore(address, value), $"a store to page {slot} of thread {number}");
                    page.Value = page.Protection == 3 ? value : page.Value;
                    break;
                case MapStep.Load:
                    CheckPage(program, slot);
                    break;
                case MapStep.Discard:
                    Check.Equal(page.Protection < 0 ? -(long)Errno.ENOMEM : 0, program.Call(28, address, PageBytes, DontNeed), "madvise");
                    page.Value = 0;
                    break;
                case MapStep.Move when page.Protection >= 0:
                    page.IsMoved = !page.IsMoved;
                    Check.Equal((long)AddressOf(slot), program.Call(25, address, PageBytes, PageBytes, MoveFlags, AddressOf(slot)),
                        "mremap");
                    break;
                case MapStep.Break when number == 0:
                    Break(step.B % (BreakPages + 1), value);
                    break;
                case MapStep.Fork:
                    Fork(value);
                    break;
                case MapStep.Crowd:
                    Crowd();
                    break;
                default:
                    break;
            }
        }

        private void Break(int pages, byte value)
        {
            ulong wanted = _breakStart + ((ulong)pages * PageBytes);
            Check.Equal((long)wanted, program.Call(12, wanted), "brk");
            _heap.AsSpan(Math.Min(pages, _heapPages)).Clear();
            _heapPages = pages;
            if (pages > 0)
            {
                program.Store(_breakStart + ((ulong)(pages - 1) * PageBytes), value);
                _heap[pages - 1] = value;
            }
        }

        /// <summary>The child has the pages of the thread that forked it, whatever the others were about to do with theirs.</summary>
        private void Fork(byte value)
        {
            long child = program.Fork(copy =>
            {
                CheckAll(copy);
                for (int slot = 0; slot < Slots; slot++)
                {
                    Check.Equal(_pages[slot].Protection == 3, copy.TryStore(AddressOf(slot), value), $"a child's store to page {slot}");
                    Check.That(_pages[slot].Protection != 3 || copy.Load(AddressOf(slot)) == value, "what a child has stored");
                }
            });
            Check.That(child > 0, $"fork: {child}");
            // Without a status: its address would be the other threads', too.
            Check.Equal(child, program.Call(61, (ulong)child), "wait4");
        }

        private void CheckAll(UserProgram observer)
        {
            for (int slot = 0; slot < Slots; slot++)
            {
                CheckPage(observer, slot);
            }

            for (int page = 0; page < _heapPages; page++)
            {
                Check.Equal(_heap[page], observer.Load(_breakStart + ((ulong)page * PageBytes)), $"page {page} of the heap");
            }
        }

        private void CheckPage(UserProgram observer, int slot)
        {
            Page page = _pages[slot];
            Check.Equal(page.Protection > 0, observer.TryLoad(AddressOf(slot), out byte value),
                $"a load from page {slot} of thread {number}");
            Check.That(page.Protection <= 0 || page.Value == value, $"page {slot} of thread {number} is {value} instead of {page.Value}");
        }

        /// <summary>Enough pages to push others out of the ExCache.</summary>
        private void Crowd()
        {
            ulong area = CrowdArea + ((ulong)number * CrowdStride);
            Check.Equal(area, program.Map(area, CrowdPages * PageBytes, 3, FixedAnonymous), "mmap");
            for (int page = 0; page < CrowdPages; page++)
            {
                program.Store(area + ((ulong)page * PageBytes), (byte)page);
            }

            Check.Equal(0, program.Unmap(area, CrowdPages * PageBytes), "munmap");
        }
    }
}
