// Who a peer is in its present life, and how this endpoint knows.
//
// A component's life is what lies between the moment at which it knows nothing of the rack and the moment at which the rack has given it
// up, or its machine is gone. Each life has a name, its incarnation: 32 bits of entropy, not a clock's reading. Every frame carries the
// sender's and the one that the sender believes it talks to; what is from or for a former self is not looked into, but counted. Ids of
// requests, duplicate suppression, remembered replies, and what services keep for a component hang on the incarnation.
//
// Nobody believes a name because it stands in a frame: a frame may have been under way since a former life. Two endpoints learn each
// other's names by greetings, as TCP's three-way handshake learns sequence numbers (RFC 9293, 3.5). A greeting may carry a challenge, a
// number that this life has not used before, and the answer to one of the other side's. A name is adopted from a greeting that is meant for
// this very life and answers a challenge that was made after the last adoption. Such a greeting was sent after that challenge, by a life
// that came after the one adopted last: however frames are delayed, doubled or reordered, adoption never goes back to a former life.
//
//   A                                   B
//   greeting(challenge a)           ->  (A is a stranger)
//   adopts B                        <-  greeting(answer a, challenge b)
//   greeting(answer b), requests    ->  adopts A
//
//            adopt                  given up (membership)                    adopt another life
//   Unknown --------> Known(life) ------------------------> GivenUp(life) ----------------------> Known(life')
//      ^                  | `- adopt another life: Known(life'), the former one has ended
//      `------------------'
//       this endpoint begins a new life itself; or the membership names a life that this endpoint has not met
//
//   Unknown   Calls wait in their queues; the first one, and who waits, greets. Boot: nobody knows anybody.
//   Known     Frames that carry (life, own) pass. A frame with any other pair is refused, and greeted: both sides learn the other's new
//             name. That is how a peer that has rebooted is noticed, a manager as well as anybody; what was under way to its former self
//             ends (EHOSTDOWN).
//   GivenUp   Calls end with EHOSTDOWN. Of its frames only Join and Heartbeat pass, whose answers tell it; other requests are answered
//             StaleEpoch.
//             The same life comes back only when the membership says that it is a member (a manager that rebooted knows no failures).
//
// A life that was known ends exactly once, when it is given up or another one is adopted: then the watchers hear of it (PeerWatcher),
// before any request of the next life is served.

using System.Numerics;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Body of a greeting.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct Greeting
{
    /// <summary>To be answered; 0: nothing is asked.</summary>
    public ulong Challenge;
    /// <summary>The challenge that this answers, or 0.</summary>
    public ulong Answer;
}

/// <summary>A peer's incarnation as far as it is known.</summary>
internal struct PeerIdentity
{
    /// <summary>No life has this name.</summary>
    internal const uint None = 0;

    /// <summary>No frame carries this pair: PeerIdentity.IsName excludes it.</summary>
    private const ulong NoFrame = ulong.MaxValue;
    /// <summary>Least time between two greetings that nobody asked for.</summary>
    private const ulong GreetingPauseNs = 1_000_000;

    private uint _own;
    private uint _known;
    /// <summary>The life adopted last, also when it is not the present one any more.</summary>
    private uint _last;
    /// <summary>The life that the watchers think of as living.</summary>
    private uint _living;
    private uint _givenUp;
    private ulong _challenge;
    private ulong _challengeAtAdoption;
    private ulong _greetedNs;

    /// <summary>The pair that a frame from the peer's present life to this one carries, as it lies in the header.</summary>
    internal ulong Inward { get; private set; }

    /// <summary>The pair that frames to the peer carry.</summary>
    internal ulong Outward { get; private set; }

    /// <summary>The peer's present life; None: unknown.</summary>
    internal readonly uint Known => _known;

    /// <summary>The membership has given the peer's last known life up.</summary>
    internal bool IsDown { get; private set; }

    internal readonly bool IsGivenUp(uint incarnation) => incarnation == _givenUp && incarnation != None;

    /// <summary>Whether a number can name a life.</summary>
    internal static bool IsName(uint incarnation) => incarnation is not (None or uint.MaxValue);

    /// <summary>This endpoint's own life; a new one makes the peer unknown, because the peer does not know it.</summary>
    internal void BeginLife(uint own)
    {
        _own = own;
        _known = None;
        Compose();
    }

    /// <summary>A challenge that this life has not made before.</summary>
    internal ulong NextChallenge() => ++_challenge;

    /// <summary>Whether it is time to greet once more. Notes that it is being done.</summary>
    internal bool MayGreet(ulong nowNs)
    {
        if (_greetedNs != 0 && nowNs - _greetedNs < GreetingPauseNs)
        {
            return false;
        }

        _greetedNs = nowNs;
        return true;
    }

    /// <summary>Whether a greeting for this life with that answer proves its sender's name, and the name is news.</summary>
    internal readonly bool Proves(uint incarnation, ulong answer) =>
        answer > _challengeAtAdoption && answer <= _challenge && incarnation != _known && IsName(incarnation) && !IsGivenUp(incarnation);

    /// <summary>Takes over a proven name. True: another life that was known has ended by that.</summary>
    /// <param name="incarnation">The name.</param>
    /// <param name="isAnother">It is not the one that was adopted before: its requests begin anew.</param>
    internal bool Adopt(uint incarnation, out bool isAnother)
    {
        isAnother = incarnation != _last;
        _last = incarnation;
        bool ended = _living != None && _living != incarnation;
        _known = incarnation;
        _living = incarnation;
        _challengeAtAdoption = _challenge;
        IsDown = false;
        Compose();
        return ended;
    }

    /// <summary>
    /// The membership has given a life up. True: it was known, and has ended by that. A later life than that one is not touched.
    /// </summary>
    internal bool GiveUp(uint incarnation)
    {
        _givenUp = incarnation;
        if (_known != None && _known != incarnation)
        {
            return false;
        }

        bool ended = _living == incarnation && incarnation != None;
        _living = ended ? None : _living;
        _known = None;
        IsDown = true;
        Compose();
        return ended;
    }

    /// <summary>The membership names a life as a member's: one that it once gave up, or another one than that.</summary>
    internal void Restore(uint incarnation)
    {
        _givenUp = _givenUp == incarnation ? None : _givenUp;
        IsDown = false;
    }

    private void Compose()
    {
        Outward = _own | ((ulong)_known << 32);
        Inward = _known == None ? NoFrame : BitOperations.RotateLeft(Outward, 32);
    }
}
