// How whoever waits for several files learns that something changed. epoll instances are told by the object that changed (Watchers): an
// event costs what is ready, not what is watched. poll and select, which remember nothing, share one queue: each change wakes them and
// they look again.

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

    /// <summary>An object may have become readable or writable, or been hung up: some of the events may be true now.</summary>
    public void Notify(ref Watchers watchers, PollEvents events)
    {
        watchers.Tell(events);
        Changes++;
        _changed.WakeAll();
    }
}
