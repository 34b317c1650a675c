// How poll, select and epoll learn that something changed: every change of a pipe's, session's or event counter's readiness wakes one
// queue, and the waiters look again. With the few pollers of a component that is cheaper than registering each of them with each of its
// files.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Wakes everybody who polls.</summary>
public sealed class Readiness
{
    private WaitQueue _changed;

    /// <summary>Pollers wait here and then check their files again.</summary>
    public ref WaitQueue Changed => ref _changed;

    /// <summary>
    /// Changes so far. Whoever takes it before looking at files, and sleeps only if it is still the same, misses none, whatever blocks in
    /// between.
    /// </summary>
    public ulong Changes { get; private set; }

    /// <summary>Some file may have become readable or writable, or been hung up.</summary>
    public void Notify()
    {
        Changes++;
        _changed.WakeAll();
    }
}
