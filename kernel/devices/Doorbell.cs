// The wake-up that goes with a SharedRegion: one machine rings, the other machine's halt ends. A doorbell carries no data and rings merge;
// the receiver looks into the rings to see what there is. Nothing here blocks or allocates.

namespace Lego.Kernel;

/// <summary>Rings at the other machine, and is rung by it.</summary>
public abstract class Doorbell
{
    /// <summary>Wakes the other machine if it is armed and asleep. Rings that follow closely may merge into one.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Ring();

    /// <summary>From now on a ring interrupts this machine. A ring that came before stays pending and interrupts at once.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Arm();

    /// <summary>Rings need not interrupt while the machine polls; one that does is harmless.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract void Disarm();

    /// <summary>Takes all rings that have come; true when there was one since the last call.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract bool Acknowledge();
}
