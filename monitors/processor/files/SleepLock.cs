// A lock for sections that may block: copies to and from programs, messages. Kernel code between two blocking points is atomic anyway, so
// this is needed only around something that waits. Taken for an open file's position (shared after fork) and for a pipe's ring, one at a
// time and never while waiting for another process, so no order is needed.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Mutual exclusion between threads that may block while they hold it. Zero-initialised = free.</summary>
public unsafe struct SleepLock
{
    private bool _held;
    private WaitQueue _waiters;

    /// <summary>Takes the lock (BLOCKS, uninterruptible); dispose the guard to release. The lock must not move meanwhile.</summary>
    public Guard Acquire()
    {
        while (_held)
        {
            _waiters.Wait();
        }

        _held = true;
        return new Guard((SleepLock*)Unsafe.AsPointer(ref this));
    }

    private void Release()
    {
        _held = false;
        _waiters.WakeOne();
    }

    /// <summary>Holds the lock until disposed.</summary>
    public readonly ref struct Guard
    {
        private readonly SleepLock* _lock;

        internal Guard(SleepLock* @lock)
        {
            _lock = @lock;
        }

        public void Dispose()
        {
            if (_lock != null)
            {
                _lock->Release();
            }
        }
    }
}
