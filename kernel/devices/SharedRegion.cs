// Memory that this machine shares with exactly one other machine. It holds message rings and nothing else; the other side may write any
// byte of it at any time, so readers copy what they check.

namespace Lego.Kernel;

/// <summary>A window of shared memory, mapped write-back cached.</summary>
public readonly unsafe struct SharedRegion(void* start, ulong lengthBytes)
{
    public readonly void* Base = start;
    public readonly ulong LengthBytes = lengthBytes;
}
