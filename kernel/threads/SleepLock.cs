// A lock for sections that may block: copies to and from programs, messages, requests to a device. Kernel code between two blocking points
// is atomic anyway, so this is needed only around something that waits. Never held while waiting for another program; who holds several
// says in which order.

using System.Diagnostics.CodeAnalysis;

namespace Lego.Kernel;

/// <summary>
/// Mutual exclusion between threads that may block while they hold it. Zero-initialised = free. Must not move while it is waited for.
/// </summary>
public struct SleepLock
{
    private bool _held;
    private WaitQueue _waiters;

    /// <summary>Takes the lock (BLOCKS, uninterruptible); dispose the guard to release.</summary>
    [UnscopedRef]
    public Guard Acquire()
    {
        while (_held)
        {
            _waiters.Wait();
        }

        _held = true;
        return new Guard(ref this);
    }

    private void Release()
    {
        _held = false;
        _waiters.WakeOne();
    }

    /// <summary>Holds the lock until disposed.</summary>
    public readonly ref struct Guard
    {
        private readonly ref SleepLock _lock;

        internal Guard(ref SleepLock held)
        {
            _lock = ref held;
        }

        public void Dispose() => _lock.Release();
    }
}
