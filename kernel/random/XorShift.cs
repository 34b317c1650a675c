// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016): repeatable numbers from a seed,
// for schedules, balance and choice. Nothing that must not be guessed: that is RandomBytes' business.

namespace Lego.Kernel;

/// <summary>A generator; equal seeds give equal sequences.</summary>
public struct XorShift
{
    private const ulong DefaultSeed = 0x9E3779B97F4A7C15;

    private ulong _state;

    /// <summary>A seed of 0, which the generator cannot leave, stands for another one.</summary>
    public XorShift(ulong seed)
    {
        _state = seed == 0 ? DefaultSeed : seed;
    }

    public ulong Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return _state * 0x2545F4914F6CDD1D;
    }
}
