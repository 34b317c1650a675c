// How poll and select learn that something changed: every change of a pipe's or session's readiness wakes one queue, and the waiters look
// again. With the few pollers of a shell that is cheaper than registering each of them with each of its files; epoll will bring its own.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Wakes everybody who polls.</summary>
public static class Readiness
{
    private static WaitQueue s_changed;
    private static ulong s_changes;

    /// <summary>Pollers wait here and then check their files again.</summary>
    public static ref WaitQueue Changed => ref s_changed;

    /// <summary>
    /// Changes so far. Whoever takes it before looking at files, and sleeps only if it is still the same, misses none, whatever blocks in between.
    /// </summary>
    public static ulong Changes => s_changes;

    /// <summary>Some file may have become readable or writable, or been hung up.</summary>
    public static void Notify()
    {
        s_changes++;
        s_changed.WakeAll();
    }
}
