// Wake-ups while somebody waits for one reply. A fault comes from user mode, where the links are armed: every frame interrupts. Its reply
// need not, because the machine is awake and looks for it, so the call's link is disarmed from sending until the reply has come, and it
// alone.
//
// Invariants. A watch is on only between the sending of a call and the end of a Complete, and watches one link, the first that was asked
// for. While it is on and nothing else has happened the poller's state is Suspended: this link is disarmed, all others are armed. If a
// thread has blocked in between, the poller was armed or disarmed as a whole; the suspension is over, and ending the watch changes nothing.
// A link that is armed again may have received a frame while it was not: whoever ends the watch looks at it once more, or the frame would
// lie there until the next interrupt.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>The link whose wake-ups are off while a reply is awaited over it.</summary>
internal sealed class ReplyWatch
{
    private Link? _link;

    internal bool IsOn => _link is not null;

    /// <summary>Begins a watch, if the links are armed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Begin(Link link)
    {
        if (Poller.IsArmed)
        {
            Poller.Suspend();
            link.DisarmWakeup();
            _link = link;
        }
    }

    /// <summary>Ends the watch. The link to look at once more, or null.</summary>
    internal Link? End()
    {
        Link? link = _link;
        _link = null;
        if (link is null || !Poller.Resume())
        {
            return null;
        }

        link.ArmWakeup();
        return link;
    }
}
