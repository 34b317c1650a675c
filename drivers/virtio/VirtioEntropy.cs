// Entropy device (virtio 1.2, 5.4): buffers come back filled with random bytes. One request at a time; Fill BLOCKS. The page that the
// device writes is cleared after each use, so that seeds do not stay in memory.

using System;
using Lego.Kernel;

namespace Lego.Drivers;

/// <summary>The device's place among the pollers.</summary>
public sealed class VirtioEntropyCompletions(VirtioEntropy device) : PollSource
{
    public override bool Poll() => device.TakeCompletions();

    public override void ArmWakeup() => device.EnableInterrupt();

    public override void DisarmWakeup() => device.DisableInterrupt();
}

/// <summary>A virtio random number generator.</summary>
public sealed unsafe class VirtioEntropy : EntropySource
{
    public const ushort DeviceType = 4;

    private readonly VirtioTransport _transport;
    private readonly VirtQueue _queue;
    private readonly byte* _page;
    private bool _idle = true;
    private bool _done;
    private uint _deliveredBytes;

    private VirtioEntropy(VirtioTransport transport, VirtQueue queue, byte* page)
    {
        _transport = transport;
        _queue = queue;
        _page = page;
    }

    /// <summary>Sets the device up and registers it with the poller; null when it refuses or memory is short.</summary>
    public static VirtioEntropy? Open(VirtioTransport transport, FrameAllocator frames)
    {
        if (transport.Negotiate(VirtioFeatures.EventIndex, out _) != Errno.None)
        {
            return null;
        }

        VirtQueue? queue = transport.OpenQueue(0, 2, frames);
        byte* page = (byte*)frames.AllocateCleared();
        if (queue == null || page == null)
        {
            return null;
        }

        VirtioEntropy device = new(transport, queue, page);
        transport.Start();
        Poller.Register(new VirtioEntropyCompletions(device));
        return device;
    }

    /// <summary>
    /// A device that delivers nothing is asked again for ever: bytes that are not random must never be taken for random ones.
    /// </summary>
    public override void Fill(Span<byte> bytes)
    {
        while (!_idle)
        {
            Scheduler.WaitUntil(ref _idle, ulong.MaxValue);
        }

        _idle = false;
        while (bytes.Length > 0)
        {
            uint askedBytes = (uint)Math.Min(bytes.Length, PageOperations.PageSize);
            _done = false;
            if (!_queue.TryAdd(PhysicalAddress.Of(_page), askedBytes, BufferAccess.DeviceWrites, 0))
            {
                Scheduler.Yield();
                continue;
            }

            _queue.Publish();
            Scheduler.WaitUntil(ref _done, ulong.MaxValue);
            Span<byte> delivered = new(_page, (int)_deliveredBytes);
            delivered.CopyTo(bytes);
            delivered.Clear();
            bytes = bytes[delivered.Length..];
        }

        _idle = true;
        Scheduler.Notify();
    }

    internal bool TakeCompletions()
    {
        if (!_queue.TryTake(out _, out _deliveredBytes))
        {
            if (_queue.Broken)
            {
                _transport.Reset();
            }

            return false;
        }

        _done = true;
        Scheduler.Notify();
        return true;
    }

    internal void EnableInterrupt() => _queue.EnableInterrupt();

    internal void DisableInterrupt() => _queue.DisableInterrupt();
}
