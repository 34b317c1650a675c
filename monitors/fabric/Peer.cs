// What an endpoint knows about one other component: the link to it, who it is (PeerIdentity), the window of calls that this component has
// there (CallWindow), and what it has served for it (ReplyMemory). Made by Attach at boot.

using Lego.Kernel;

namespace Lego.Fabric;

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
    /// <summary>The requests from the peer.</summary>
    internal readonly ReplyMemory Served;
    internal PeerIdentity Identity;

    /// <summary>Sequence number of the latest call, and of the oldest that may still lack its reply.</summary>
    internal ulong Sequence;
    internal ulong OldestOpen;
    /// <summary>Counts sound frames from the peer's present life, whatever they say: a peer that sends lives. Wraps.</summary>
    internal uint FramesHeard;

    internal Peer(ushort node, Link link, FrameAllocator frames, ReplyFrames replies)
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

        Served = new ReplyMemory(page, replies, Reliable);
        Window = new CallWindow(page + ReplyMemory.SizeBytes, link.WindowBytes);
    }
}
