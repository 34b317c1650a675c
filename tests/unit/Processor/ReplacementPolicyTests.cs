// Victims of the real ExCache against models that know nothing of its code: each is written from the policy's description alone
// (monitors/processor/excache/ReplacementPolicy.cs) and sees only the trace of accesses.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class ReplacementPolicyTests
{
    private const ulong Base = ExCacheFixture.Base;

    /// <summary>One set of a model; gives the victim of an access, or null on a hit or while there is room.</summary>
    private abstract class SetModel(int ways)
    {
        protected int Ways { get; } = ways;

        public abstract ulong? Access(ulong page);
    }

    private sealed class FifoModel(int ways) : SetModel(ways)
    {
        private readonly Queue<ulong> _queue = new();

        public override ulong? Access(ulong page)
        {
            if (_queue.Contains(page))
            {
                return null;
            }

            ulong? victim = _queue.Count == Ways ? _queue.Dequeue() : null;
            _queue.Enqueue(page);
            return victim;
        }
    }

    private sealed class LruModel(int ways) : SetModel(ways)
    {
        private readonly HashSet<ulong> _accessed = [];
        private List<ulong> _order = [];

        public override ulong? Access(ulong page)
        {
            ulong? victim = null;
            if (!_order.Contains(page))
            {
                if (_order.Count == Ways)
                {
                    _order = [.. _order.Where(item => !_accessed.Contains(item)), .. _order.Where(_accessed.Contains)];
                    _accessed.Clear();
                    victim = _order[0];
                    _order.RemoveAt(0);
                }

                _order.Add(page);
            }

            _accessed.Add(page);
            return victim;
        }
    }

    private sealed class ClockModel(int ways) : SetModel(ways)
    {
        private readonly List<ulong> _slots = [];
        private readonly HashSet<ulong> _accessed = [];
        private int _hand;

        public override ulong? Access(ulong page)
        {
            ulong? victim = null;
            if (!_slots.Contains(page))
            {
                if (_slots.Count < Ways)
                {
                    _slots.Add(page);
                }
                else
                {
                    while (_accessed.Remove(_slots[_hand]))
                    {
                        _hand = (_hand + 1) % Ways;
                    }

                    victim = _slots[_hand];
                    _slots[_hand] = page;
                    _hand = (_hand + 1) % Ways;
                }
            }

            _accessed.Add(page);
            return victim;
        }
    }

    public static TheoryData<PolicyKind, int, int> Geometries()
    {
        TheoryData<PolicyKind, int, int> cases = [];
        foreach (PolicyKind policy in new[] { PolicyKind.Fifo, PolicyKind.Lru, PolicyKind.Clock })
        {
            foreach ((int lines, int ways) in new[] { (16, 1), (16, 4), (24, 8), (16, 16), (64, 64), (21, 7) })
            {
                cases.Add(policy, lines, ways);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Geometries))]
    public void Victims_are_those_of_an_independent_model(PolicyKind policy, int lines, int ways)
    {
        using ExCacheFixture machine = new(lines, ways, policy);
        int sets = lines / ways;
        SetModel[] models = [.. Enumerable.Range(0, sets).Select(_ => policy switch
        {
            PolicyKind.Lru => new LruModel(ways),
            PolicyKind.Clock => (SetModel)new ClockModel(ways),
            _ => new FifoModel(ways),
        })];
        Random random = new((lines * 31) + ways);
        List<ulong> expected = [];
        while (expected.Count < 400)
        {
            // Half of the accesses go to a hot tenth, so that the policies differ.
            int pages = 3 * lines;
            ulong page = (ulong)(random.Next(2) == 0 ? random.Next(pages) : random.Next(Math.Max(1, pages / 10)));
            ulong address = Base + (page * 4096);
            ulong? victim = models[(int)((address >> 12) % (ulong)sets)].Access(address);
            if (victim != null)
            {
                expected.Add(victim.Value);
            }

            Assert.Equal(FaultOutcome.Resident, random.Next(2) == 0 ? machine.Store(address, 1) : machine.Load(address, out _));
        }

        Assert.Equal(expected, machine.Victims());
    }

    [Fact]
    public void Hot_pages_miss_less_under_lru_than_under_fifo() =>
        Assert.True(MissesOfHotAndCold(PolicyKind.Lru) * 10 < MissesOfHotAndCold(PolicyKind.Fifo) * 8);

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(64)]
    public void One_more_page_than_ways_misses_always_under_fifo_and_ways_pages_never(int ways)
    {
        using ExCacheFixture machine = new(ways * 4, ways, PolicyKind.Fifo);
        ulong stride = 4 * 4096;
        Cycle(machine, (ulong)ways, stride, rounds: 3);
        Assert.Equal((ulong)ways, machine.Counter("fills_zero"));
        Cycle(machine, (ulong)ways + 1, stride, rounds: 1);
        ulong before = machine.Counter("fills_from_memory");
        Cycle(machine, (ulong)ways + 1, stride, rounds: 3);
        Assert.Equal(3 * ((ulong)ways + 1), machine.Counter("fills_from_memory") - before);
    }

    [Fact]
    public void Random_replacement_repeats_with_its_seed_and_evicts_resident_pages_only()
    {
        List<ulong> first = RandomVictims(seed: 5);
        Assert.Equal(first, RandomVictims(seed: 5));
        Assert.NotEqual(first, RandomVictims(seed: 6));
    }

    private static List<ulong> RandomVictims(ulong seed)
    {
        using ExCacheFixture machine = new(lines: 16, ways: 16, PolicyKind.Random, seed: seed);
        HashSet<ulong> resident = [];
        for (ulong page = 0; page < 200; page++)
        {
            ulong address = Base + (page * 4096);
            machine.Store(address, 1);
            List<ulong> victims = machine.Victims();
            if (page >= 16)
            {
                Assert.True(resident.Remove(victims[^1]));
            }

            resident.Add(address);
        }

        return machine.Victims();
    }

    private static ulong MissesOfHotAndCold(PolicyKind policy)
    {
        using ExCacheFixture machine = new(lines: 64, ways: 64, policy);
        Random random = new(3);
        for (int step = 0; step < 20_000; step++)
        {
            ulong page = (ulong)(random.Next(10) != 0 ? random.Next(40) : 40 + random.Next(1000));
            machine.Store(Base + (page * 4096), 1);
        }

        return machine.Counter("evictions");
    }

    private static void Cycle(ExCacheFixture machine, ulong pages, ulong strideBytes, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            for (ulong page = 0; page < pages; page++)
            {
                machine.Store(Base + (page * strideBytes), 1);
            }
        }
    }
}
