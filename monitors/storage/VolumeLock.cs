// One request at a time may use the volume. The holder may BLOCK on the device while it holds the lock, so this is a lock that waits, not
// one that spins; kernel code is atomic between blocking points, so its own state needs no other lock.

using Lego.Kernel;

namespace Lego.Storage;

/// <summary>Held by `using VolumeLock.Holder _ = lock.Acquire()`.</summary>
public sealed class VolumeLock
{
    private WaitQueue _waiting;
    private bool _held;

    /// <summary>Lets the lock go at the end of its scope.</summary>
    public readonly ref struct Holder
    {
        private readonly VolumeLock _lock;

        internal Holder(VolumeLock held)
        {
            _lock = held;
        }

        public void Dispose() => _lock.Release();
    }

    /// <summary>Waits for the lock; BLOCKS.</summary>
    public Holder Acquire()
    {
        while (_held)
        {
            _waiting.Wait();
        }

        _held = true;
        return new Holder(this);
    }

    private void Release()
    {
        _held = false;
        _waiting.WakeOne();
    }
}
