// Timers that are read (timerfd_create(2)). TimerQueue tells of an expiry once; how many periods have passed since is counted when somebody
// looks, and the timer runs on from then, as on Linux: a short period that nobody reads costs nothing. In a slab; freed with its open file.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One timer.</summary>
public unsafe struct FileTimer
{
    /// <summary>Stands first: the queue knows the timer by it.</summary>
    public ProcessTimer Timer;
    /// <summary>It counts time since 1970.</summary>
    public bool CountsRealTime;
    /// <summary>Expiries that have not been read.</summary>
    public ulong Ticks;
    public WaitQueue Expired;
    public Watchers Watchers;
}

/// <summary>Operations of timers.</summary>
public sealed unsafe class TimerFile : FileOperations
{
    private readonly Slab<FileTimer> _timers;
    private readonly ExpiryListener _listener;

    public TimerFile(FileSystem files)
        : base(files)
    {
        _timers = new Slab<FileTimer>(files.Frames);
        _listener = new Listener(files);
    }

    /// <summary>A new timer, not armed; null when memory is exhausted.</summary>
    public OpenFile* Open(bool countsRealTime, OpenFlags flags)
    {
        FileTimer* timer = _timers.Allocate();
        OpenFile* file = timer == null ? null : OpenFile.Create(Files, FileKind.Timer, OpenFlags.ReadWrite | flags);
        if (file == null)
        {
            if (timer != null)
            {
                _timers.Free(timer);
            }

            return null;
        }

        timer->CountsRealTime = countsRealTime;
        timer->Timer.Kind = TimerKind.File;
        timer->Timer.Listener = _listener.Self;
        file->Timer = timer;
        return file;
    }

    /// <summary>
    /// Arms it for a time in Clock.NowNs terms (0 = disarms it), repeated with a period (0 = once). What it has counted is forgotten.
    /// </summary>
    public void Set(FileTimer* timer, ulong dueNs, ulong periodNs)
    {
        timer->Ticks = 0;
        Files.Processes.Timers.Set(null, &timer->Timer, dueNs, periodNs);
    }

    /// <summary>Time to the next expiry; 0 = it is not armed, or was for once.</summary>
    public ulong RemainingNs(FileTimer* timer)
    {
        Count(timer);
        return TimerQueue.RemainingNs(&timer->Timer);
    }

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        FileTimer* timer = file->Timer;
        if (to.RemainingBytes < sizeof(ulong))
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        Count(timer);
        while (timer->Ticks == 0)
        {
            Errno error = file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref timer->Expired);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }

            Count(timer);
        }

        ulong ticks = timer->Ticks;
        timer->Ticks = 0;
        Errno copied = to.Give(MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in ticks)), out _);
        return CallResult.Of(copied, sizeof(ulong));
    }

    /// <summary>Linux's noop_llseek.</summary>
    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = EpollFile.AnonymousStatus();
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file) =>
        file->Timer->Ticks != 0 || IsDue(file->Timer, Clock.NowNs()) ? PollEvents.Readable : PollEvents.None;

    public override Watchers* WatchersOf(OpenFile* file) => &file->Timer->Watchers;

    public override int Describe(OpenFile* file, Span<byte> text) => EpollFile.DescribeAnonymous("anon_inode:[timerfd]"u8, text);

    public override void Close(OpenFile* file)
    {
        Files.Processes.Timers.Set(null, &file->Timer->Timer, 0, 0);
        _timers.Free(file->Timer);
    }

    /// <summary>Counts what has expired since an expiry was told, or was to be told; a periodic timer runs on.</summary>
    private void Count(FileTimer* timer)
    {
        ref ProcessTimer armed = ref timer->Timer;
        ulong now = Clock.NowNs();
        bool isDue = IsDue(timer, now);
        timer->Ticks += isDue ? 1UL : 0;
        if (timer->Ticks == 0 || (armed.LookNs != 0 && !isDue))
        {
            return;
        }

        if (armed.PeriodNs == 0)
        {
            Files.Processes.Timers.Set(null, &timer->Timer, 0, 0);
            return;
        }

        ulong missed = (now - armed.DueNs) / armed.PeriodNs;
        timer->Ticks += missed;
        Files.Processes.Timers.Set(null, &timer->Timer, armed.DueNs + ((missed + 1) * armed.PeriodNs), armed.PeriodNs);
    }

    /// <summary>It has expired, and the queue has not come to it yet.</summary>
    private static bool IsDue(FileTimer* timer, ulong now) => timer->Timer.LookNs != 0 && timer->Timer.DueNs <= now;

    /// <summary>Hears of expiries.</summary>
    private sealed class Listener(FileSystem files) : ExpiryListener
    {
        public override void Expired(ProcessTimer* expired)
        {
            FileTimer* timer = (FileTimer*)expired;
            timer->Ticks++;
            expired->DueNs = expired->PeriodNs == 0 ? 0 : expired->DueNs;
            timer->Expired.WakeAll();
            files.Readiness.Notify(ref timer->Watchers, PollEvents.Readable);
        }
    }
}
