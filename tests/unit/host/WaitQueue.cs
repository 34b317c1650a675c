// Host stand-in for kernel/threads' WaitQueue: there is one thread, so waiting means polling until somebody wakes the queue.

using System;

namespace Lego.Kernel;

/// <summary>Counts wake-ups; a wait ends at the next one.</summary>
public struct WaitQueue
{
    private const ulong HangNs = 10_000_000_000;

    private uint _wakes;

    /// <summary>The only thread is not waiting when it asks.</summary>
    public readonly bool IsEmpty => true;

    public void Wait() => WaitUntil(ulong.MaxValue);

    public bool WaitUntil(ulong deadlineNs)
    {
        uint before = _wakes;
        ulong start = Clock.NowNs();
        while (_wakes == before)
        {
            Poller.PollAll();
            ulong now = Clock.NowNs();
            if (now >= deadlineNs)
            {
                return false;
            }

            if (now - start > HangNs)
            {
                throw new TimeoutException("WaitQueue.Wait: nobody wakes this queue");
            }
        }

        return true;
    }

    public void WakeOne() => _wakes++;

    public void WakeAll() => _wakes++;
}
