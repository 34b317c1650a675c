// How many errors this node reports: a token bucket (RFC 4443, 2.4(f); RFC 1812, 4.3.2.8), as Linux's icmp_msgs_per_sec and
// icmp_msgs_burst. The size of the burst varies a little, so that nobody can count by it which ports are open (Man et al., SAD DNS, CCS
// 2020).

namespace Lego.Kernel;

/// <summary>The bucket.</summary>
public sealed class IcmpRateLimit
{
    private const ulong PerSecond = 1000;
    private const ulong Burst = 50;
    private const ulong RandomPart = 4;
    private const ulong NsPerToken = NetworkClock.NsPerSecond / PerSecond;

    private readonly NetworkClock _clock;
    private readonly NetworkRandom _random;
    private ulong _tokens = Burst;
    private ulong _filledNs;

    public IcmpRateLimit(NetworkClock clock, NetworkRandom random)
    {
        _clock = clock;
        _random = random;
    }

    /// <summary>Takes a token; false: say nothing.</summary>
    public bool TryTake()
    {
        ulong fresh = (_clock.NowNs - _filledNs) / NsPerToken;
        if (fresh > 0)
        {
            _tokens = fresh + _tokens >= Burst ? Burst - _random.Below(RandomPart) : fresh + _tokens;
            _filledNs = _clock.NowNs;
        }

        if (_tokens == 0)
        {
            return false;
        }

        _tokens--;
        return true;
    }
}
