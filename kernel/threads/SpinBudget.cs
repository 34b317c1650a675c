// How long a wait polls before it gives the CPU up. Polling is the fastest way to notice an answer that comes soon, and wasted for one that
// does not come soon. The budget follows what halts turn out to be (as KVM's halt polling does): after a short one it doubles, because a
// little more patience would have spared the two thread wake-ups on the host that a halt costs; after a long one it falls back.
//
// Patience also keeps two machines that talk to each other on different cores of the host: if both halt after every message, the host sees
// two light threads and runs them in turn on one core, 100 us a message for as long as it lasts. But where the host has fewer free cores
// than there are machines that poll, patience only keeps the peer from running: its answer comes as soon as the halt gives it the core.
// Both look the same, a short halt after polling in vain; what tells them apart is whether patience pays. So there is an account of it:
// what was polled in vain beyond the least budget, less what answers have spared that came late but while polling. When the loss is too
// high, the machine polls hardly at all for a while, and for longer each time until patience has paid its way again.
//
// Called with the kernel lock held; one budget per machine. Measured with two machines on two cores under loads from 3 to 13: with a fixed
// 60 to 250 us about every third phase was stuck at 100 to 300 us a message; with this one one phase in nine was, at 40 us, the others took
// 4.

using System;

namespace Lego.Kernel;

/// <summary>Time to poll, by what the last halts were like and what polling has cost.</summary>
public struct SpinBudget
{
    internal const ulong DefaultLeastNs = 60_000;
    internal const ulong DefaultMostNs = 1_000_000;
    private const ulong ShortHaltNs = 300_000;
    /// <summary>What an answer spares that comes while polling: two wake-ups of threads on the host.</summary>
    private const ulong HaltCostNs = 50_000;
    /// <summary>What one that comes at once forgives, so that losses of an hour do not add up.</summary>
    private const ulong ForgivenNs = 1_000;
    private const ulong MostLossNs = 25_000_000;
    private const ulong FirstPauseNs = 100_000_000;
    private const ulong LongestPauseNs = 3_200_000_000;
    /// <summary>The part of the least budget that is left in a pause.</summary>
    private const ulong PauseShare = 8;

    private readonly ulong _leastNs;
    private ulong _mostNs;
    private ulong _ns;
    private ulong _lossNs;
    private ulong _pauseNs;
    private ulong _pausedUntilNs;

    /// <summary>A budget that never falls below <paramref name="leastNs"/>, pauses apart; 0 = never poll.</summary>
    internal SpinBudget(ulong leastNs, ulong mostNs)
    {
        _leastNs = leastNs;
        _mostNs = mostNs;
        _ns = leastNs;
        _pauseNs = FirstPauseNs;
    }

    /// <summary>Budget of the wait that begins now.</summary>
    internal readonly ulong Ns => _ns;

    /// <summary>Caps the budget.</summary>
    internal void LimitTo(ulong mostNs)
    {
        _mostNs = mostNs;
        _ns = Math.Min(_ns, mostNs);
    }

    /// <summary>What was waited for came while polling, after so long.</summary>
    internal void Succeeded(ulong polledNs)
    {
        ulong gainNs = polledNs > _leastNs ? HaltCostNs : ForgivenNs;
        if (_lossNs > gainNs)
        {
            _lossNs -= gainNs;
        }
        else
        {
            _lossNs = 0;
            _pauseNs = polledNs > _leastNs ? FirstPauseNs : _pauseNs;
        }
    }

    /// <summary>Polling ended with nothing, and the halt after it took so long and ended now.</summary>
    internal void Halted(ulong haltNs, ulong nowNs)
    {
        if (_pausedUntilNs != 0)
        {
            if (nowNs >= _pausedUntilNs)
            {
                _pausedUntilNs = 0;
                _ns = _leastNs;
            }

            return;
        }

        _lossNs += _ns - Math.Min(_ns, _leastNs);
        _ns = haltNs >= ShortHaltNs ? _leastNs : Math.Min(2 * _ns, Math.Max(_mostNs, _leastNs));
        if (_lossNs >= MostLossNs)
        {
            _lossNs = 0;
            _pausedUntilNs = nowNs + _pauseNs;
            _pauseNs = Math.Min(2 * _pauseNs, LongestPauseNs);
            _ns = _leastNs / PauseShare;
        }
    }
}
