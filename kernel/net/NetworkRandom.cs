// Numbers that a stranger must not guess: the keyed hash of a counter.

namespace Lego.Kernel;

/// <summary>A generator; equal keys give equal sequences, so that tests repeat.</summary>
public sealed class NetworkRandom
{
    private readonly SipHash _hash;
    private ulong _count;

    public NetworkRandom(ulong key0, ulong key1)
    {
        _hash = new SipHash(key0, key1);
    }

    public ulong Next() => _hash.Of(_count++, 0);

    /// <summary>A number from 0 to <paramref name="limit"/> - 1.</summary>
    public ulong Below(ulong limit) => Next() % limit;

    /// <summary>A number that belongs to a pair of words and to no other one (RFC 6056, 3.3.3).</summary>
    public ulong OffsetFor(ulong first, ulong second) => _hash.Of(first, second, ulong.MaxValue, 0);
}
