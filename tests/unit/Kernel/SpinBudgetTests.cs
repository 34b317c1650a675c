// How long a wait polls: more where a little more would have spared a halt, hardly at all where polling keeps the peer from its core.

using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Kernel;

public sealed class SpinBudgetTests
{
    private const ulong LeastNs = 60_000;
    private const ulong MostNs = 1_000_000;
    private const ulong ShortNs = 40_000;
    private const ulong LongNs = 5_000_000;

    private SpinBudget _budget = new(LeastNs, MostNs);
    private ulong _nowNs;

    [Fact]
    public void Short_halts_raise_the_budget_to_its_cap_and_a_long_one_takes_it_back()
    {
        Assert.Equal(LeastNs, _budget.Ns);
        Halt(ShortNs);
        Assert.Equal(2 * LeastNs, _budget.Ns);
        for (int halt = 0; halt < 10; halt++)
        {
            Halt(ShortNs);
        }

        Assert.Equal(MostNs, _budget.Ns);
        Halt(LongNs);
        Assert.Equal(LeastNs, _budget.Ns);
    }

    [Fact]
    public void Polling_that_only_ever_fails_costs_a_small_part_of_the_time()
    {
        ulong polledNs = 0;
        while (_nowNs < 60_000_000_000)
        {
            polledNs += _budget.Ns;
            _nowNs += _budget.Ns;
            Halt(ShortNs);
        }

        Assert.InRange(polledNs, 0UL, _nowNs / 5);
    }

    [Fact]
    public void Patience_that_spares_halts_stays()
    {
        // One wait in twenty fails; each of the others spares a halt.
        for (int wait = 0; wait < 100_000; wait++)
        {
            if (wait % 20 == 0)
            {
                Halt(ShortNs);
            }
            else
            {
                _budget.Succeeded(LeastNs + 1);
            }
        }

        Assert.Equal(MostNs, _budget.Ns);
    }

    [Fact]
    public void A_machine_that_must_never_poll_does_not()
    {
        _budget = new SpinBudget(0, MostNs);
        Halt(ShortNs);
        Assert.Equal(0UL, _budget.Ns);
    }

    [Fact]
    public void A_cap_that_comes_later_holds()
    {
        _budget.LimitTo(100_000);
        Halt(ShortNs);
        Assert.Equal(100_000UL, _budget.Ns);
    }

    private void Halt(ulong haltNs)
    {
        _nowNs += haltNs;
        _budget.Halted(haltNs, _nowNs);
    }
}
