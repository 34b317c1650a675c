// Event counters (eventfd(2)): a number that writes add to and reads take, as a whole or (EFD_SEMAPHORE) one by one. In a slab; freed with
// its open file. A copy to or from the program may block, so the number is looked at and changed after the copy from, and before the copy
// to the program.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One counter and who waits for it.</summary>
public struct EventCounter
{
    /// <summary>A counter never holds all ones; that value is for poll's error condition.</summary>
    public const ulong Most = ulong.MaxValue - 1;

    public ulong Value;
    public bool IsSemaphore;
    public WaitQueue Changed;
    public Watchers Watchers;
}

/// <summary>Operations of event counters.</summary>
public sealed unsafe class EventFile(FileSystem files) : FileOperations(files)
{
    private const int NumberBytes = sizeof(ulong);

    /// <summary>A new counter; null when memory is exhausted.</summary>
    public static OpenFile* Open(FileSystem files, ulong value, bool isSemaphore, OpenFlags flags)
    {
        EventCounter* counter = files.EventCounters.Allocate();
        OpenFile* file = counter == null ? null : OpenFile.Create(files, FileKind.Event, OpenFlags.ReadWrite | flags);
        if (file == null)
        {
            if (counter != null)
            {
                files.EventCounters.Free(counter);
            }

            return null;
        }

        counter->Value = value;
        counter->IsSemaphore = isSemaphore;
        file->Counter = counter;
        return file;
    }

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        EventCounter* counter = file->Counter;
        if (to.RemainingBytes < NumberBytes)
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        while (counter->Value == 0)
        {
            Errno error = file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref counter->Changed);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }

        ulong taken = counter->IsSemaphore ? 1 : counter->Value;
        counter->Value -= taken;
        Announce(counter, PollEvents.Writable);
        Errno copied = to.Give(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in taken)), out _);
        return CallResult.Of(copied, NumberBytes);
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        EventCounter* counter = file->Counter;
        if (from.RemainingBytes < NumberBytes)
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        ulong added = 0;
        Errno error = from.Take(MemoryMarshal.AsBytes(new Span<ulong>(ref added)), out _);
        if (error == Errno.None && added == ulong.MaxValue)
        {
            error = Errno.EINVAL;
        }

        while (error == Errno.None && EventCounter.Most - counter->Value < added)
        {
            error = file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref counter->Changed);
        }

        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        counter->Value += added;
        Announce(counter, PollEvents.Readable);
        return NumberBytes;
    }

    /// <summary>Linux's noop_llseek.</summary>
    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = EpollFile.AnonymousStatus();
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file)
    {
        ulong value = file->Counter->Value;
        return (value != 0 ? PollEvents.In : PollEvents.None) | (value < EventCounter.Most ? PollEvents.Out : PollEvents.None);
    }

    public override Watchers* WatchersOf(OpenFile* file) => &file->Counter->Watchers;

    public override int Describe(OpenFile* file, Span<byte> text) => EpollFile.DescribeAnonymous("anon_inode:[eventfd]"u8, text);

    public override void Close(OpenFile* file) => Files.EventCounters.Free(file->Counter);

    /// <summary>The kernel adds one, as long as there is room (eventfd_signal of Linux).</summary>
    public void Raise(OpenFile* file)
    {
        file->Counter->Value += file->Counter->Value < EventCounter.Most ? 1u : 0;
        Announce(file->Counter, PollEvents.Readable);
    }

    private void Announce(EventCounter* counter, PollEvents events)
    {
        counter->Changed.WakeAll();
        Files.Readiness.Notify(ref counter->Watchers, events);
    }
}
