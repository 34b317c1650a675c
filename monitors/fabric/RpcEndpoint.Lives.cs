// Lives: this component's own, those of its peers, and frames that are from or for a former one. PeerIdentity.cs has the states and the
// reasons.

using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

public sealed unsafe partial class RpcEndpoint
{
    private const int MaxWatchers = 4;

    private readonly PeerWatcher[] _watchers = new PeerWatcher[MaxWatchers];
    private int _watcherCount;
    private ulong _toFormerSelf;
    private ulong _fromFormerSelf;
    private ulong _fromGivenUp;
    private ulong _greetings;

    /// <summary>The name of this component's present life.</summary>
    public uint Incarnation { get; private set; }

    /// <summary>True between the moment at which this life learns that the rack has given it up and the beginning of the next.</summary>
    public bool IsFenced { get; private set; }

    /// <summary>From now on the watcher hears of lives that end; boot time.</summary>
    public void Watch(PeerWatcher watcher)
    {
        if (_watcherCount == MaxWatchers)
        {
            Panic.Because("RpcEndpoint.Watch: too many watchers");
        }

        _watchers[_watcherCount++] = watcher;
    }

    /// <summary>The peer's present life; 0 while it is not known.</summary>
    public uint IncarnationOf(ushort peer) => peer <= MaxNode && _peers[peer] is { } known ? known.Identity.Known : PeerIdentity.None;

    /// <summary>Counts sound frames from the peer; whoever sees it change has had a sign of life. Wraps.</summary>
    public uint FramesHeardFrom(ushort peer) => peer <= MaxNode && _peers[peer] is { } known ? known.FramesHeard : 0;

    /// <summary>
    /// The rack has given this life up: nothing that it began may reach anybody any more. Calls under way end with ESTALE, and so do new
    /// ones at once, but those of the membership.
    /// </summary>
    public void Fence()
    {
        IsFenced = true;
        for (int node = 0; node <= MaxNode; node++)
        {
            if (_peers[node] is { } peer)
            {
                EndCalls(peer, Errno.ESTALE);
            }
        }
    }

    /// <summary>
    /// Begins a new life under a name that no life of this component has had. Nothing of the former one is left here; peers learn the new
    /// name from the next message to them, and end what they keep for the former self.
    /// </summary>
    public void BeginLife(uint incarnation)
    {
        if (!PeerIdentity.IsName(incarnation))
        {
            Panic.Because("RpcEndpoint.BeginLife: not a name");
        }

        Fence();
        IsFenced = false;
        Incarnation = incarnation;
        for (int node = 0; node <= MaxNode; node++)
        {
            if (_peers[node] is { } peer)
            {
                peer.Identity.BeginLife(incarnation);
                _collector.Forget(peer.Node);
            }
        }
    }

    /// <summary>
    /// The membership says that a life of a peer has failed: its calls end with EHOSTDOWN, new ones do at once. A later life is not
    /// touched.
    /// </summary>
    public void MarkDown(ushort node, uint incarnation)
    {
        if (node > MaxNode || _peers[node] is not { } peer)
        {
            return;
        }

        bool wasDown = peer.Identity.IsDown;
        bool ended = peer.Identity.GiveUp(incarnation);
        if (peer.Identity.IsDown)
        {
            EndCalls(peer, Errno.EHOSTDOWN);
        }

        // Something may be kept here for one that has never spoken: a part of one of its spaces.
        if (ended || (peer.Identity.IsDown && !wasDown))
        {
            TellWatchers(peer);
        }
    }

    /// <summary>The membership names a life of a peer as a member's: it can be called.</summary>
    public void MarkUp(ushort node, uint incarnation)
    {
        if (node <= MaxNode && _peers[node] is { } peer && (peer.Identity.IsDown || peer.Identity.IsGivenUp(incarnation)))
        {
            peer.Identity.Restore(incarnation);
        }
    }

    private void EndCalls(Peer peer, Errno status)
    {
        for (int slot = 0; slot < RequestId.SlotCount; slot++)
        {
            if (peer.Window.Calls[slot] != null)
            {
                Finish(peer, peer.Window.Calls[slot], status);
            }
        }

        for (int queue = 0; queue < CallWindow.ClassCount; queue++)
        {
            while (peer.Window.FirstQueued(queue) != null)
            {
                Finish(peer, peer.Window.FirstQueued(queue), status);
            }
        }
    }

    private void TellWatchers(Peer peer)
    {
        VNodes.Departed(peer.Node);
        for (int index = 0; index < _watcherCount; index++)
        {
            _watchers[index].Departed(peer.Node);
        }
    }

    /// <summary>A sound frame that does not come from the peer's present life to this one.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AcceptStranger(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        if (header->Kind == MessageKind.Greeting)
        {
            AcceptGreeting(peer, header, body, bodyBytes);
        }
        else if (header->TargetIncarnation != Incarnation)
        {
            _toFormerSelf++;
            Greet(peer);
        }
        else if (peer.Identity.IsGivenUp(header->SourceIncarnation))
        {
            _fromGivenUp++;
            AcceptFromGivenUp(peer, header, body, bodyBytes);
        }
        else
        {
            _fromFormerSelf++;
            Greet(peer);
        }
    }

    /// <summary>The answers of the membership are how a life finds out; nothing else that it asks for is done.</summary>
    private void AcceptFromGivenUp(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        if (header->Kind != MessageKind.Request)
        {
            return;
        }

        if (AsksMembership(header->Opcode))
        {
            AcceptRequest(peer, header, body, bodyBytes);
        }
        else
        {
            _refusedEpoch++;
            Answer(peer, header, MessageKind.StaleEpoch);
        }
    }

    private void AcceptGreeting(Peer peer, MessageHeader* header, byte* body, int bodyBytes)
    {
        if (bodyBytes != sizeof(Greeting) || header->FragmentCount != 1)
        {
            _badFrames++;
            return;
        }

        Greeting greeting = Unsafe.ReadUnaligned<Greeting>(body);
        uint source = header->SourceIncarnation;
        bool isProof = header->TargetIncarnation == Incarnation && peer.Identity.Proves(source, greeting.Answer);
        if (isProof)
        {
            Adopt(peer, source);
        }

        if (greeting.Challenge != 0)
        {
            // Before anything else goes to it: the other side must know this life when the first request arrives.
            ulong challenge = peer.Identity.Known == source || peer.Identity.IsGivenUp(source) ? 0 : peer.Identity.NextChallenge();
            SendGreeting(peer, source, challenge, greeting.Challenge);
        }

        if (isProof && peer.Window.Queued != 0)
        {
            SendQueuedTo(peer);
        }
    }

    private void Adopt(Peer peer, uint incarnation)
    {
        if (peer.Identity.Known != PeerIdentity.None)
        {
            // What was under way, or about to be, was meant for the former self.
            EndCalls(peer, Errno.EHOSTDOWN);
        }

        bool ended = peer.Identity.Adopt(incarnation, out bool isAnother);
        if (isAnother)
        {
            peer.Served.Clear();
            _collector.Forget(peer.Node);
        }

        if (ended)
        {
            TellWatchers(peer);
        }
    }

    /// <summary>Asks a peer for its name, unless that was done a moment ago.</summary>
    private void Greet(Peer peer)
    {
        if (peer.Identity.MayGreet(Clock.NowNs()))
        {
            SendGreeting(peer, peer.Identity.Known, peer.Identity.NextChallenge(), 0);
        }
    }

    private void SendGreeting(Peer peer, uint to, ulong challenge, ulong answer)
    {
        MessageHeader header = MessageForms.Bare(_node, peer, MessageKind.Greeting, Epoch);
        header.TargetIncarnation = to;
        Greeting greeting = new() { Challenge = challenge, Answer = answer };
        _greetings++;
        // A full link drops it: whoever waits for the peer greets again.
        _sender.Transmit(peer, &header, (byte*)&greeting, sizeof(Greeting), null, 0);
    }
}
