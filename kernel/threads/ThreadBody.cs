// What a kernel thread runs: an object made at boot, and one word that tells this thread's work from that of others with the same body.

namespace Lego.Kernel;

/// <summary>The code of threads; Scheduler.Spawn takes one.</summary>
public abstract unsafe class ThreadBody
{
    /// <summary>Runs in the new thread, which ends when it returns. May block.</summary>
    public abstract void Run(void* argument);
}
