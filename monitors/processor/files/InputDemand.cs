// What the programs of a session have asked their user's side to read (docs/protocol.md, group 5). Nothing is read that no program has
// asked for: bytes of a pipe or lines of a terminal that this program leaves alone are there for the next one. Each wanted read is answered
// once.
//
// A reader asks for exactly what its read(2) says, and poll(2) only whether there is anything. One that has taken more than ExactBytes of
// something that is no terminal is taken for a reader of all of it: a quarter of what it has taken is read ahead of it, and in the end the
// way is kept filled.
//
// Invariant: bytes in the ring + Reads * BytesOfEach <= StreamRequest.InputWindowBytes <= ByteRing.CapacityBytes: what comes always has
// room.

using System;
using Lego.Fabric.Messages;

namespace Lego.Processor;

/// <summary>Wanted reads of one session's standard input.</summary>
public struct InputDemand
{
    /// <summary>So far, a program that reads a line finds the next one still there for others.</summary>
    private const ulong ExactBytes = 512;

    /// <summary>Part of what a reader has taken that is read ahead of it.</summary>
    private const ulong AheadDivisor = 4;

    /// <summary>Most bytes of a read ahead; from here on several are under way.</summary>
    private const uint ChunkBytes = 16 * 1024;

    /// <summary>These are asked for in groups: each question is a message.</summary>
    private const uint ChunkGroup = 2;

    private ulong _takenBytes;

    /// <summary>Wanted reads that have not been answered.</summary>
    public uint Reads { get; private set; }

    /// <summary>Most bytes of each of them.</summary>
    public uint BytesOfEach { get; private set; }

    /// <summary>
    /// Decides what to ask for on behalf of a reader of <paramref name="wantedBytes"/> (0: of one who polls), when
    /// <paramref name="waitingBytes"/> lie in the ring; false when nothing. A reader that is served already (not
    /// <paramref name="isWaiting"/>) only keeps the way filled. What was decided counts as asked for.
    /// </summary>
    public bool TryAsk(ulong wantedBytes, uint waitingBytes, bool isWaiting, bool isTerminal, out uint reads)
    {
        ulong ahead = isTerminal || _takenBytes <= ExactBytes ? 0 : _takenBytes / AheadDivisor;
        reads = 0;
        if (ahead < ChunkBytes)
        {
            reads = isWaiting && Reads == 0 && waitingBytes == 0 ? 1u : 0u;
            BytesOfEach = reads == 0 ? BytesOfEach : (uint)Math.Min(Math.Max(wantedBytes, ahead), StreamRequest.MaxBytes);
        }
        else if (Reads == 0 || BytesOfEach == ChunkBytes)
        {
            BytesOfEach = ChunkBytes;
            uint most = (StreamRequest.InputWindowBytes - waitingBytes) / ChunkBytes;
            uint missing = most > Reads ? most - Reads : 0;
            reads = missing >= ChunkGroup || (Reads == 0 && waitingBytes == 0) ? missing : 0;
        }

        Reads += reads;
        return reads != 0;
    }

    /// <summary>So many reads have been answered, or could not be asked for.</summary>
    public void Answer(uint reads) => Reads -= Math.Min(reads, Reads);

    /// <summary>A program has taken bytes out of the ring.</summary>
    public void CountTaken(long bytes) => _takenBytes += (ulong)bytes;
}
