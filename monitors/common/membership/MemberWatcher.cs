// What a monitor wants to hear about the other members: that one has ended, whose state it keeps. Called in the poller or the membership
// thread, so it must not block.

namespace Lego.Common.Membership;

/// <summary>Hears of the ends of members.</summary>
public abstract class MemberWatcher
{
    /// <summary>The component on a node failed or left, or lives again as another incarnation: all that the former one had is nobody's.</summary>
    public abstract void Departed(ushort node);
}
