// A lock that many may share or one may have alone, for sections that block in messages whose answers come by themselves (never for waits on
// other programs). Somebody who waits to have it alone goes before those who come later to share it, so he is not starved; therefore nobody
// may take it twice.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Shared or exclusive, sleeping, uninterruptible.</summary>
public sealed class SharedLock
{
    private WaitQueue _changed;
    private uint _sharers;
    private uint _exclusiveWaiters;
    private bool _excluded;

    /// <summary>Holds the lock until disposed.</summary>
    public readonly ref struct Guard
    {
        private readonly SharedLock? _lock;
        private readonly bool _exclusive;

        internal Guard(SharedLock held, bool exclusive)
        {
            _lock = held;
            _exclusive = exclusive;
        }

        public void Dispose() => _lock?.Release(_exclusive);
    }

    /// <summary>Takes the lock together with others who share it; BLOCKS.</summary>
    public Guard Share()
    {
        while (_excluded || _exclusiveWaiters != 0)
        {
            _changed.Wait();
        }

        _sharers++;
        return new Guard(this, exclusive: false);
    }

    /// <summary>Takes the lock alone; BLOCKS.</summary>
    public Guard Exclude()
    {
        _exclusiveWaiters++;
        while (_excluded || _sharers != 0)
        {
            _changed.Wait();
        }

        _exclusiveWaiters--;
        _excluded = true;
        return new Guard(this, exclusive: true);
    }

    private void Release(bool exclusive)
    {
        if (exclusive)
        {
            _excluded = false;
        }
        else
        {
            _sharers--;
        }

        if (_sharers == 0)
        {
            _changed.WakeAll();
        }
    }
}
