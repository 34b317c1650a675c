// The victims that a rack chooses are those that a model on the host predicts for the same trace. The trace is tests/linux/tracer.c's; the
// rack remembers its victims with the boot argument trace=on. The models are written from the policies' description alone
// (monitors/processor/excache/ReplacementPolicy.cs).

using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class PolicyTests
{
    private const ulong TraceBase = 0x1000_0000_0000;
    private const ulong PageBytes = 4096;
    private const int StackInChosenSet = 3;
    private const int Attempts = 12;

    /// <summary>256 lines in sets of 8: 32 sets, of which the trace uses four.</summary>
    private const int Ways = 8;
    private const ulong Sets = 32;
    private const ulong FirstSet = 16;
    private const ulong SetCount = 4;
    private const ulong Tags = 14;
    private const int Accesses = 700;

    [Theory]
    [InlineData("fifo", 1UL, 60)]
    [InlineData("lru", 2UL, 60)]
    [InlineData("clock", 3UL, 60)]
    [InlineData("fifo", 4UL, 100)]
    [InlineData("lru", 5UL, 100)]
    [InlineData("clock", 6UL, 100)]
    public async Task Victims_are_those_that_a_model_predicts(string policy, ulong seed, int writePercent)
    {
        string[] options = ["--excache", "1M", "--ways", $"{Ways}", "--policy", policy, "--boot", "p0:trace=on",
            .. await LinuxPrograms.AddAsync("tracer")];
        string[] program = ["/tracer", $"{Sets}", $"{FirstSet}", $"{SetCount}", $"{Tags}", $"{Accesses}", $"{writePercent}", $"{seed}"];
        for (int attempt = 0; ; attempt++)
        {
            (ProgramResult result, Statistics statistics) = await Rack.MeasureAsync(options, program);
            if (result.Status == StackInChosenSet && attempt < Attempts)
            {
                continue;
            }

            Assert.Equal(new ProgramResult(0, $"ok {Accesses}\n", ""), result);
            ulong[] victims = [.. statistics.List("processor.excache.victim").Where(address => address >= TraceBase && IsTraced(address))];
            Assert.Equal(Predict(policy, seed), victims);
            return;
        }
    }

    private static bool IsTraced(ulong address) =>
        address < TraceBase + (Tags * Sets * PageBytes) && (address / PageBytes % Sets) - FirstSet < SetCount;

    private static ulong[] Predict(string policy, ulong seed)
    {
        SetModel[] models = [.. Enumerable.Range(0, (int)SetCount).Select(_ => policy switch
        {
            "fifo" => (SetModel)new FifoModel(),
            "lru" => new LruModel(),
            _ => new ClockModel(),
        })];
        List<ulong> victims = [];
        ulong state = seed;
        for (int access = 0; access < Accesses; access++)
        {
            ulong random = SplitMix(ref state);
            ulong set = (random & 0xFFFF) % SetCount;
            ulong address = TraceBase + (((((random >> 16) & 0xFFFF) % Tags * Sets) + FirstSet + set) * PageBytes);
            if (models[set].Access(address) is { } victim)
            {
                victims.Add(victim);
            }
        }

        return [.. victims];
    }

    private static ulong SplitMix(ref ulong state)
    {
        ulong value = state += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    /// <summary>One set; gives the victim of an access, or null on a hit or while there is room.</summary>
    private abstract class SetModel
    {
        public abstract ulong? Access(ulong page);
    }

    private sealed class FifoModel : SetModel
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

    private sealed class LruModel : SetModel
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

    private sealed class ClockModel : SetModel
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
}
