// epoll_create, epoll_ctl, epoll_wait and eventfd (epoll(7), eventfd(2)). What is watched and what it reports is in files/events. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about events of files.</summary>
public static unsafe class EventCalls
{
    private const ulong MillisecondNs = 1_000_000;
    /// <summary>Events that are taken and copied to the program at a time.</summary>
    private const int EventsAtOnce = 64;

    private enum Control : uint
    {
        Add = 1,
        Delete = 2,
        Modify = 3,
    }

    /// <summary>struct epoll_event, packed on x86-64.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    private struct Event
    {
        internal uint Events;
        internal ulong Data;
    }

    [SystemCall(213, "epoll_create", Support.Partial, "as epoll_create1")]
    internal static long Create(ref SystemCall call) =>
        (int)call.A0 <= 0 ? SystemCall.Fail(Errno.EINVAL) : Create(ref call, OpenFlags.ReadOnly);

    [SystemCall(291, "epoll_create1", Support.Partial, "EPOLLIOC_SET_PARAMS (busy polling) is EINVAL")]
    internal static long Create1(ref SystemCall call) =>
        ((OpenFlags)(uint)call.A0 & ~OpenFlags.CloseOnExec) != 0
            ? SystemCall.Fail(Errno.EINVAL)
            : Create(ref call, (OpenFlags)(uint)call.A0);

    [SystemCall(233, "epoll_ctl", Support.Full)]
    internal static long Change(ref SystemCall call)
    {
        Control control = (Control)(uint)call.A1;
        Event wanted = default;
        if (control != Control.Delete)
        {
            Errno error = new UserPointer<Event>(call.A3).Read(call.Process, out wanted);
            if (error != Errno.None)
            {
                return SystemCall.Fail(error);
            }
        }

        using Descriptor epoll = Descriptor.Of(call.Process, call.A0);
        using Descriptor target = Descriptor.Of(call.Process, call.A2);
        if (epoll.IsBad || target.IsBad || epoll.File->IsPathOnly || target.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        // Linux looks at the target's kind first: a file that is always ready cannot be watched.
        if (target.File->IsPathOnly || target.Operations.WatchersOf(target.File) == null)
        {
            return SystemCall.Fail(target.File->IsPathOnly ? Errno.EBADF : Errno.EPERM);
        }

        if (epoll.File->Kind != FileKind.Epoll || target.File == epoll.File
            || (control != Control.Delete && !IsAllowed(control, target.File, in wanted)))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        EpollSet* set = epoll.File->Epoll;
        if (control == Control.Add && target.File->Kind == FileKind.Epoll && !EpollNesting.MayWatch(call.Files, set, target.File->Epoll))
        {
            return SystemCall.Fail(Errno.ELOOP);
        }

        EpollEntry* entry = EpollSet.Find(set, target.File, (int)call.A2);
        return SystemCall.Result(control switch
        {
            Control.Add => entry != null ? Errno.EEXIST : Add(call.Files, set, target.File, (int)call.A2, in wanted),
            Control.Delete => entry == null ? Errno.ENOENT : Delete(call.Files, entry),
            Control.Modify => entry == null ? Errno.ENOENT : Modify(entry, in wanted),
            _ => Errno.EINVAL,
        });
    }

    [SystemCall(232, "epoll_wait", Support.Full)]
    internal static long Wait(ref SystemCall call) => Wait(ref call, DeadlineAfter(ref call));

    [SystemCall(281, "epoll_pwait", Support.Full)]
    internal static long WaitWithMask(ref SystemCall call) => WaitWithMask(ref call, DeadlineAfter(ref call));

    [SystemCall(441, "epoll_pwait2", Support.Full)]
    internal static long WaitWithMaskAndTime(ref SystemCall call)
    {
        Errno error = TimeSpecification.ReadDeadline(call.Process, call.A3, out ulong deadline);
        return error != Errno.None ? SystemCall.Fail(error) : WaitWithMask(ref call, deadline);
    }

    [SystemCall(284, "eventfd", Support.Full)]
    internal static long MakeCounter(ref SystemCall call) => MakeCounter(ref call, 0);

    [SystemCall(290, "eventfd2", Support.Full)]
    internal static long MakeCounter2(ref SystemCall call) => MakeCounter(ref call, (uint)call.A1);

    private static long MakeCounter(ref SystemCall call, uint flags)
    {
        const uint Semaphore = 1;
        OpenFlags others = (OpenFlags)(flags & ~Semaphore);
        if ((others & ~(OpenFlags.CloseOnExec | OpenFlags.NonBlocking)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        OpenFile* file = EventFile.Open(call.Files, (uint)call.A0, (flags & Semaphore) != 0, others & OpenFlags.NonBlocking);
        return file == null
            ? SystemCall.Fail(Errno.ENOMEM)
            : DescriptorCalls.Install(call.Process, file, (others & OpenFlags.CloseOnExec) != 0);
    }

    private static long Create(ref SystemCall call, OpenFlags flags)
    {
        OpenFile* file = EpollFile.Open(call.Files);
        return file == null
            ? SystemCall.Fail(Errno.ENOMEM)
            : DescriptorCalls.Install(call.Process, file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    /// <summary>
    /// EPOLLEXCLUSIVE goes with few other flags, only when an entry is made, and not with an instance (epoll_ctl(2), EINVAL).
    /// </summary>
    private static bool IsAllowed(Control control, OpenFile* target, in Event wanted)
    {
        const PollEvents WithExclusive = PollEvents.Readable | PollEvents.Writable | PollEvents.Error | PollEvents.HangUp;
        const EpollFlags FlagsWithExclusive = EpollFlags.WakeUp | EpollFlags.EdgeTriggered | EpollFlags.Exclusive;
        bool isExclusive = ((EpollFlags)wanted.Events & EpollFlags.Exclusive) != 0;
        return !isExclusive || (control == Control.Add && target->Kind != FileKind.Epoll
            && (wanted.Events & ~((uint)WithExclusive | (uint)FlagsWithExclusive)) == 0);
    }

    private static Errno Add(FileSystem files, EpollSet* set, OpenFile* file, int descriptor, in Event wanted)
    {
        EpollEntry* entry = files.EpollEntries.Allocate();
        if (entry == null)
        {
            return Errno.ENOMEM;
        }

        entry->File = file;
        entry->Descriptor = descriptor;
        entry->Data = wanted.Data;
        entry->Flags = (EpollFlags)wanted.Events & EpollFlags.All;
        entry->Wanted = (PollEvents)wanted.Events;
        EpollSet.Add(set, entry);
        return Errno.None;
    }

    private static Errno Delete(FileSystem files, EpollEntry* entry)
    {
        EpollSet.Remove(entry);
        files.EpollEntries.Free(entry);
        return Errno.None;
    }

    private static Errno Modify(EpollEntry* entry, in Event wanted)
    {
        if ((entry->Flags & EpollFlags.Exclusive) != 0)
        {
            return Errno.EINVAL;
        }

        entry->Data = wanted.Data;
        entry->Flags = (EpollFlags)wanted.Events & EpollFlags.All;
        entry->Wanted = (PollEvents)wanted.Events;
        EpollSet.Renew(entry);
        return Errno.None;
    }

    private static ulong DeadlineAfter(ref SystemCall call) =>
        (int)call.A3 < 0 ? ulong.MaxValue : Clock.NowNs() + ((ulong)(uint)call.A3 * MillisecondNs);

    private static long WaitWithMask(ref SystemCall call, ulong deadline)
    {
        Errno error = Polling.SwapMask(ref call, call.A4, call.A5);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        long result = Wait(ref call, deadline);
        Polling.RestoreMask(ref call, call.A4, result);
        return result;
    }

    /// <summary>epoll_wait does not start again, whatever interrupted it (signal(7)).</summary>
    private static long Wait(ref SystemCall call, ulong deadline)
    {
        int most = (int)call.A2;
        if (most <= 0 || most > int.MaxValue / sizeof(Event))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using Descriptor epoll = Descriptor.Of(call.Process, call.A0);
        if (epoll.IsBad || epoll.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        bool isWild = UserMemory.IsWild(call.A1, (ulong)most * (ulong)sizeof(Event));
        if (isWild || epoll.File->Kind != FileKind.Epoll)
        {
            return SystemCall.Fail(isWild ? Errno.EFAULT : Errno.EINVAL);
        }

        Event* events = stackalloc Event[EventsAtOnce];
        EpollSet* set = epoll.File->Epoll;
        while (true)
        {
            epoll.Operations.Prompt(call.Process, epoll.File);
            long told = Tell(ref call, set, new Span<Event>(events, EventsAtOnce), most);
            if (told != 0)
            {
                return told;
            }

            Errno error = Clock.NowNs() >= deadline ? Errno.ETIMEDOUT : Signals.WaitUntil(ref set->Waiters, deadline);
            if (error != Errno.None)
            {
                PassOn(set);
                return error == Errno.ETIMEDOUT ? 0 : SystemCall.Fail(error);
            }
        }
    }

    /// <summary>Tells the program of all that is ready, piece by piece; how much, or -errno when nothing has reached it.</summary>
    private static long Tell(ref SystemCall call, EpollSet* set, Span<Event> room, int most)
    {
        ulong before = set->Reports;
        int told = 0;
        while (told < most)
        {
            ulong reports = set->Reports;
            int count = Collect(set, room.Slice(0, Math.Min(most - told, room.Length)), before);
            if (count == 0)
            {
                break;
            }

            // Who waits as well was not woken for what is left.
            PassOn(set);
            int given = Give(ref call, set, room.Slice(0, count), told, reports, out Errno error);
            told += given;
            if (given < count)
            {
                return told == 0 ? SystemCall.Fail(error) : told;
            }
        }

        return told;
    }

    /// <summary>A thread that was woken does not wait any more: what it leaves is another one's.</summary>
    private static void PassOn(EpollSet* set)
    {
        if (set->FirstReady != null)
        {
            set->Waiters.WakeOne();
        }
    }

    /// <summary>
    /// Copies events to the program behind others, of which the first is the report after one. Those that it cannot take stay ready.
    /// </summary>
    private static int Give(
        ref SystemCall call, EpollSet* set, ReadOnlySpan<Event> events, int behind, ulong reports, out Errno error)
    {
        int given = 0;
        error = Errno.None;
        while (given < events.Length && error == Errno.None)
        {
            ulong address = call.A1 + (ulong)((long)(behind + given) * sizeof(Event));
            error = UserMemory.CopyOut(call.Process, address, MemoryMarshal.AsBytes(events.Slice(given, 1)));
            given += error == Errno.None ? 1 : 0;
        }

        if (given < events.Length)
        {
            EpollSet.TakeBack(set, reports + (ulong)given, reports + (ulong)events.Length);
        }

        return given;
    }

    /// <summary>Takes what is ready and has not been reported since one.</summary>
    private static int Collect(EpollSet* set, Span<Event> events, ulong before)
    {
        int count = 0;
        EpollEntry* entry = set->FirstReady;
        // What has been reported and stays ready is behind the others then: the first one of them ends the round.
        while (entry != null && entry->Report <= before && count < events.Length)
        {
            EpollEntry* next = entry->NextReady;
            PollEvents ready = EpollSet.ReadyOf(entry);
            if (ready != PollEvents.None)
            {
                events[count++] = new Event { Events = (uint)ready, Data = entry->Data };
                EpollSet.Reported(entry);
            }
            else
            {
                EpollSet.Leave(entry);
            }

            entry = next;
        }

        return count;
    }
}
