// Whoever is told that a device has raised an interrupt. Kernel code runs with interrupts off, so this is called from the idle loop's halt
// or from user mode, with the kernel lock held.

namespace Lego.Kernel;

/// <summary>Takes interrupts of one vector or line. Made at boot.</summary>
public abstract class InterruptHandler
{
    /// <summary>Must not block, and be short.</summary>
    public abstract void OnInterrupt();
}
