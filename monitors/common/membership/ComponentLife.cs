// What lies under a component's membership: names for its lives, and the end of one that the rack has given up. The image adds what its
// monitor ends; a component that keeps nothing which would have to end (storage, whose requests stand for themselves) has this one.

using System;
using Lego.Kernel;

namespace Lego.Common.Membership;

/// <summary>The lives of a component.</summary>
public class ComponentLife
{
    private readonly EntropySource? _entropy;

    /// <summary>
    /// Names come from the entropy device. Without one, which no rack of the tool lacks, the time of day and the cycle counter must do.
    /// </summary>
    public ComponentLife(EntropySource? entropy) => _entropy = entropy;

    /// <summary>A name that no life of this component has had: 32 bits of entropy, neither 0 nor all ones.</summary>
    [Blocks]
    public virtual unsafe uint NewIncarnation()
    {
        uint name = (uint)(Clock.UnixTimeNs() ^ Cpu.Timestamp());
        if (_entropy != null)
        {
            _entropy.Fill(new Span<byte>(&name, sizeof(uint)));
        }

        return name is 0 or uint.MaxValue ? 1 : name;
    }

    /// <summary>
    /// Ends everything that the rack takes for dead because it has given this life up: a processor component's programs, a memory
    /// component's address spaces. The endpoint is fenced meanwhile: calls fail with ESTALE. BLOCKS until nothing is left.
    /// </summary>
    public virtual void End()
    {
    }

    /// <summary>The membership has changed: so many processor components are in the rack. Does not block.</summary>
    public virtual void OnProcessors(int count)
    {
    }
}
