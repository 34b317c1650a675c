// Every decision of a run: who runs next, how long a message takes, what is lost. One seeded generator makes them in the order in which
// they are asked for, so the seed is the run. The digest of all choices and events is how two runs are compared.

namespace Lego.Simulation;

/// <summary>A seeded source of decisions (SplitMix64, Steele et al. 2014) and the digest of what happened.</summary>
internal sealed class Choices(ulong seed)
{
    private const ulong FnvPrime = 0x100000001B3;
    private const ulong Step = 0x9E3779B97F4A7C15;

    /// <summary>
    /// Seeds begin at places of the generator's one sequence that are far apart: the stream of a seed is not that of the one before, moved
    /// by a choice.
    /// </summary>
    private ulong _state = Mix(seed * Step);

    /// <summary>FNV-1a over all choices and events so far.</summary>
    internal ulong Digest { get; private set; } = 0xCBF29CE484222325;

    /// <summary>How many choices were made.</summary>
    internal ulong Count { get; private set; }

    /// <summary>A number from 0 to <paramref name="options"/> - 1.</summary>
    internal int Next(int options)
    {
        int choice = options <= 1 ? 0 : (int)(Draw() % (ulong)options);
        Count++;
        Note((ulong)choice);
        return choice;
    }

    /// <summary>True in <paramref name="perMille"/> of a thousand cases.</summary>
    internal bool Chance(int perMille) => perMille > 0 && Next(1000) < perMille;

    /// <summary>64 random bits.</summary>
    internal ulong Draw()
    {
        _state += Step;
        return Mix(_state);
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Adds an event to the digest.</summary>
    internal void Note(ulong value) => Digest = (Digest ^ value) * FnvPrime;
}
