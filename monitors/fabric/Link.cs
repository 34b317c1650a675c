// What carries frames between this component and its peers. A link belongs to one RpcEndpoint, which polls it; nothing here blocks,
// allocates or retries. Frames are whole: a link delivers one as it was sent, or not at all. A received frame stays readable until
// Release, in memory that does not move and that the peer may still be able to write (ring): readers copy what they check.

using System;
using Lego.Kernel;
using System.Runtime.CompilerServices;
using System.Threading;

namespace Lego.Fabric;

/// <summary>What an endpoint need not do on a link.</summary>
[Flags]
public enum LinkTraits
{
    None = 0,
    /// <summary>Every frame arrives once and in order: no retransmission, no remembered replies.</summary>
    Reliable = 1,
    /// <summary>Frames cannot be corrupted on the way: no checksum.</summary>
    ChecksumFree = 2,
    /// <summary>The peer runs on this machine, and only while this machine polls for it.</summary>
    SameMachine = 4,
}

/// <summary>Sends and receives frames.</summary>
public abstract unsafe class Link
{
    /// <summary>A word that changes when a frame arrives, for links that have one; polling looks at it before it calls anything.</summary>
    protected ulong* _arrivalWord;
    /// <summary>The word's value while nothing has arrived.</summary>
    protected ulong _arrivalSeen;

    /// <summary>Longest frame, header included.</summary>
    public abstract int MaxFrameBytes { get; }

    /// <summary>
    /// Bytes of requests to one peer, and of their replies, that may be under way at a time: each of both, at least CallWindow.LeastBytes.
    /// </summary>
    public abstract int WindowBytes { get; }

    public abstract LinkTraits Traits { get; }

    /// <summary>True once the far end broke the link's rules; nothing moves any more.</summary>
    public virtual bool Failed => false;

    /// <summary>False when TryReceive would find nothing.</summary>
    internal bool MayHaveFrame
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _arrivalWord == null || Volatile.Read(ref *_arrivalWord) != _arrivalSeen;
    }

    /// <summary>Copies header, a and b into one frame for the node. False: no room now.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b);

    /// <summary>Lends the oldest frame; <see cref="Release"/> must follow before the next call.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool TryReceive(out ReadOnlySpan<byte> frame);

    /// <summary>Ends the loan.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Release();

    /// <summary>From now on a frame's arrival interrupts this machine.</summary>
    public virtual void ArmWakeup()
    {
    }

    /// <summary>This machine polls.</summary>
    public virtual void DisarmWakeup()
    {
    }

    /// <summary>Adds what the link has counted to the endpoint's totals.</summary>
    public virtual void AddTo(ref LinkCounters totals)
    {
    }
}

/// <summary>Counters that an endpoint sums over its links.</summary>
public struct LinkCounters
{
    /// <summary>Wake-ups sent to sleeping peers.</summary>
    public ulong Doorbells;
    /// <summary>Times that a frame found no room.</summary>
    public ulong Full;
    /// <summary>Frames that were not for this component or not well-formed for the link.</summary>
    public ulong Ignored;
    /// <summary>Frames that a fault-injecting link dropped, doubled, held back or changed.</summary>
    public ulong Faults;
}
