// What an endpoint knows about one other component: the link to it, the window of calls that this component has there, and what it has
// served for it (one entry per slot; RequestId.cs says why that suffices). Made by Attach at boot.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>How far the request that last occupied a slot has come.</summary>
internal enum ServedState : byte
{
    None = 0,
    InProgress = 1,
    Done = 2,
    /// <summary>Executed, but there was no memory to remember its reply.</summary>
    Forgotten = 3,
}

/// <summary>The latest request that the peer sent in one slot.</summary>
internal unsafe struct ServedSlot
{
    internal ulong Id;
    internal void* Remembered;
    internal int RememberedBytes;
    internal Errno Status;
    internal ServedState State;
}

/// <summary>One other component.</summary>
internal sealed unsafe class Peer
{
    internal readonly ushort Node;
    internal readonly Link Link;
    /// <summary>The link as a ring, on which frames are written in place; null for other links.</summary>
    internal readonly RingLink? Ring;
    internal readonly int MaxFrameBytes;
    internal readonly bool Reliable;
    internal readonly bool SameMachine;
    internal readonly ChecksumUse Checksum;

    /// <summary>The calls to the peer.</summary>
    internal readonly CallWindow Window;
    /// <summary>One per slot.</summary>
    internal readonly ServedSlot* Served;

    internal ulong Sequence;
    internal ulong AcknowledgedBelow;
    /// <summary>Counts sound frames from the peer, whatever they say: a peer that sends lives. Wraps.</summary>
    internal uint FramesHeard;
    internal bool Down;

    /// <summary>Slots whose reply is remembered for the peer, and the id below which the peer has had all replies.</summary>
    internal int RememberedReplies;
    internal ulong ReleasedBelow;

    internal Peer(ushort node, Link link, FrameAllocator frames)
    {
        Node = node;
        Link = link;
        Ring = link as RingLink;
        MaxFrameBytes = link.MaxFrameBytes;
        LinkTraits traits = link.Traits;
        Reliable = (traits & LinkTraits.Reliable) != 0;
        SameMachine = (traits & LinkTraits.SameMachine) != 0;
        Checksum = (traits & LinkTraits.ChecksumFree) != 0 ? ChecksumUse.Skipped : ChecksumUse.Required;
        byte* page = (byte*)frames.AllocateCleared();
        if (page == null)
        {
            Panic.Because("Peer: no memory at boot");
        }

        Window = new CallWindow(page, link.WindowBytes);
        Served = (ServedSlot*)(page + ((CallWindow.SizeBytes + 7) & ~7));
        Sequence = Clock.UnixTimeNs() / 1000;
    }
}
