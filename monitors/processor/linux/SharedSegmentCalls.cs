// shmget, shmat, shmdt, shmctl (shmget(2), shmop(2), shmctl(2)); the segments are in files/memory. To attach one is to map its node. All
// BLOCK.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of System V's shared memory.</summary>
public static unsafe class SharedSegmentCalls
{
    private const uint ReadOnly = 0x1000;
    private const uint Round = 0x2000;
    private const uint Replaces = 0x4000;
    private const uint Execute = 0x8000;
    private const uint HugePages = 0x800;

    private const uint MapShared = 1;
    private const uint MapFixed = 0x10;
    private const uint MapFixedNoReplace = 0x100000;

    private const uint ExecuteRight = 0x49;
    private const ulong PageMask = PageOperations.PageSize - 1;
    private const ulong SecondNs = 1_000_000_000;

    private enum Command : uint
    {
        Lock = 11,
        Unlock = 12,
        Stat = 13,
        Use = 14,
        StatAny = 15,
    }

    /// <summary>struct shmid64_ds.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct SegmentRecord
    {
        internal IpcPermissionRecord Permissions;
        internal ulong SizeBytes;
        internal ulong AttachTime;
        internal ulong DetachTime;
        internal ulong ChangeTime;
        internal uint Creator;
        internal uint LastProcess;
        internal ulong Attaches;
        internal ulong Unused1;
        internal ulong Unused2;
    }

    /// <summary>struct shminfo64.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LimitRecord
    {
        internal ulong MaxBytes;
        internal ulong MinBytes;
        internal ulong MaxSegments;
        internal ulong MaxOfProcess;
        internal ulong MaxPages;
        internal ulong Unused1;
        internal ulong Unused2;
        internal ulong Unused3;
        internal ulong Unused4;
    }

    /// <summary>struct shm_info.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct UseRecord
    {
        internal ulong Segments;
        internal ulong Pages;
        internal ulong ResidentPages;
        internal ulong SwappedPages;
        internal ulong SwapAttempts;
        internal ulong SwapSuccesses;
    }

    [SystemCall(29, "shmget", Support.Partial, "no huge pages (SHM_HUGETLB)")]
    internal static long Get(ref SystemCall call) =>
        ((uint)call.A2 & HugePages) != 0 || (long)call.A1 < 0
        ? SystemCall.Fail(Errno.EINVAL)
        : SystemCall.Result(call.Files.Segments.Get(call.Process, (int)call.A0, call.A1, (uint)call.A2, out int id), id);

    [SystemCall(30, "shmat", Support.Partial, "only where the creator's memory component is the caller's: EINVAL")]
    internal static long Attach(ref SystemCall call)
    {
        Process* process = call.Process;
        uint flags = (uint)call.A2;
        ulong address = call.A1;
        if ((int)call.A0 < 0 || ((address & PageMask) != 0 && (flags & Round) == 0))
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        address &= ~PageMask;
        if (address == 0 && (flags & Replaces) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        SharedSegment* segment = call.Files.Segments.Find(process, (int)call.A0);
        uint rights = IpcObject.ReadRights | ((flags & ReadOnly) == 0 ? IpcObject.WriteRights : 0)
            | ((flags & Execute) != 0 ? ExecuteRight : 0);
        Errno error = segment == null ? Errno.EINVAL : segment->Head.Check(process, rights);
        error = error == Errno.None && segment->Node->Place.FileMemory != process->Space->Home ? Errno.EINVAL : error;
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        SharedSegments.BeginAttaching(segment);
        error = Map(process, segment, address, flags, out ulong mapped);
        if (error == Errno.None)
        {
            SharedSegments.Used(segment, process->Id, begins: true);
        }

        call.Files.Segments.EndAttaching(segment);
        return MemoryCalls.Answer(ref call, error == Errno.EEXIST ? Errno.EINVAL : error, (long)mapped);
    }

    private static Errno Map(Process* process, SharedSegment* segment, ulong address, uint flags, out ulong mapped)
    {
        mapped = 0;
        ulong length = (segment->SizeBytes + PageMask) & ~PageMask;
        if (address > UserMemory.Limit - length)
        {
            return Errno.EINVAL;
        }

        bool replaces = (flags & Replaces) != 0;
        Protection protection = Protection.Read | ((flags & ReadOnly) == 0 ? Protection.Write : Protection.None)
            | ((flags & Execute) != 0 ? Protection.Execute : Protection.None);
        MapRequest request = new()
        {
            Address = address,
            Length = length,
            Protection = protection,
            Allowed = Protection.Read | Protection.Execute | (protection & Protection.Write),
            Flags = MapShared | (address == 0 ? 0 : replaces ? MapFixed : MapFixedNoReplace | MapFixed),
        };
        Errno error = MappedFiles.HoldNode(process, segment->Node, ref request, out ReadOnlySpan<byte> path);
        if (error != Errno.None)
        {
            return error;
        }

        ulong replacedEnd = replaces ? address + length : address;
        error = process->Table.Spaces.Replace(process->Space, Opcode.Map, in request, path, address, replacedEnd, request.Backing,
            out mapped);
        MappedFiles.Drop(process, in request);
        return error;
    }

    /// <summary>Unmaps what is left of the segment that was attached at the address, wherever that has been cut.</summary>
    [SystemCall(67, "shmdt", Support.Full)]
    internal static long Detach(ref SystemCall call)
    {
        Process* process = call.Process;
        AddressSpace* space = process->Space;
        ulong address = call.A0;
        uint backing = 0;
        ulong end = 0;
        for (int index = 0; index < space->Ranges.Count && backing == 0 && (address & PageMask) == 0; index++)
        {
            VmaRecord range = space->Ranges[index];
            SharedSegment* segment = SegmentOf(process, in range);
            if (segment != null && range.Start >= address && range.Start - address == range.FileOffset)
            {
                backing = range.Backing;
                end = address + ((segment->SizeBytes + PageMask) & ~PageMask);
                SharedSegments.Used(segment, process->Id, begins: false);
            }
        }

        if (backing == 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        // Its number stays its own while it is unmapped part by part.
        Errno error = Errno.None;
        process->Table.Backings.Hold(backing);
        while (error == Errno.None && TryFindPart(space, backing, address, end, out VmaRecord part))
        {
            error = process->Table.Spaces.Unmap(space, part.Start, part.End);
        }

        process->Table.Backings.Drop(backing);
        return MemoryCalls.Answer(ref call, error, 0);
    }

    private static SharedSegment* SegmentOf(Process* process, in VmaRecord range)
    {
        FileNode* node = range.Kind == VmaKind.SharedFile ? (FileNode*)process->Table.Backings.FileOf(range.Backing) : null;
        return node == null || node->Memory == null ? null : node->Memory->Segment;
    }

    private static bool TryFindPart(AddressSpace* space, uint backing, ulong address, ulong end, out VmaRecord part)
    {
        for (int index = 0; index < space->Ranges.Count; index++)
        {
            part = space->Ranges[index];
            if (part.Backing == backing && part.Start >= address && part.Start < end && part.Start - address == part.FileOffset)
            {
                return true;
            }
        }

        part = default;
        return false;
    }

    [SystemCall(31, "shmctl", Support.Full)]
    internal static long Control(ref SystemCall call)
    {
        Process* process = call.Process;
        SharedSegments segments = call.Files.Segments;
        uint command = (uint)call.A1;
        if ((int)call.A0 < 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch (command)
        {
            case IpcFlags.Info:
                return Limits(ref call);
            case (uint)Command.Use:
                return Use(ref call);
            case IpcFlags.Set:
                return Set(ref call);
        }

        bool byPlace = command is (uint)Command.Stat or (uint)Command.StatAny;
        SharedSegment* segment = byPlace ? (SharedSegment*)segments.Table.At(process, (int)call.A0) : segments.Find(process, (int)call.A0);
        if (segment == null)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        switch (command)
        {
            case IpcFlags.Remove:
                Errno error = segment->Head.CheckOwner(process);
                if (error == Errno.None)
                {
                    segments.Remove(segment);
                }

                return SystemCall.Result(error);
            case (uint)Command.Lock or (uint)Command.Unlock:
                // No memory is ever swapped out: what is left is what programs are told.
                error = segment->Head.CheckOwner(process);
                uint locked = command == (uint)Command.Lock ? SharedSegment.Locked : 0;
                segment->Head.Mode = error == Errno.None ? (segment->Head.Mode & ~SharedSegment.Locked) | locked : segment->Head.Mode;
                return SystemCall.Result(error);
            case IpcFlags.Stat or (uint)Command.Stat or (uint)Command.StatAny:
                return Stat(ref call, segment, isFree: command == (uint)Command.StatAny, byPlace);
            default:
                return SystemCall.Fail(Errno.EINVAL);
        }
    }

    private static long Stat(ref SystemCall call, SharedSegment* segment, bool isFree, bool byPlace)
    {
        Errno error = isFree ? Errno.None : segment->Head.Check(call.Process, IpcObject.ReadRights);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        SegmentRecord record = new()
        {
            Permissions = segment->Head.Record(),
            SizeBytes = segment->SizeBytes,
            AttachTime = segment->AttachTimeNs / SecondNs,
            DetachTime = segment->DetachTimeNs / SecondNs,
            ChangeTime = segment->Head.ChangeTimeNs / SecondNs,
            Creator = segment->Creator,
            LastProcess = segment->LastProcess,
            Attaches = call.Files.Segments.Attaches(segment),
        };
        int id = segment->Head.Id;
        return SystemCall.Result(new UserPointer<SegmentRecord>(call.A2).Write(call.Process, in record), byPlace ? id : 0);
    }

    private static long Set(ref SystemCall call)
    {
        Errno error = new UserPointer<SegmentRecord>(call.A2).Read(call.Process, out SegmentRecord wanted);
        SharedSegment* segment = call.Files.Segments.Find(call.Process, (int)call.A0);
        error = error != Errno.None ? error : segment == null ? Errno.EINVAL : segment->Head.CheckOwner(call.Process);
        return SystemCall.Result(error != Errno.None ? error : segment->Head.Set(in wanted.Permissions));
    }

    private static long Limits(ref SystemCall call)
    {
        LimitRecord record = new()
        {
            MaxBytes = SharedSegments.MaxBytes,
            MinBytes = 1,
            MaxSegments = IpcTable.MaxObjects,
            MaxOfProcess = IpcTable.MaxObjects,
            MaxPages = SharedSegments.MaxBytes,
        };
        int last = Math.Max(call.Files.Segments.Table.Last, 0);
        return SystemCall.Result(new UserPointer<LimitRecord>(call.A2).Write(call.Process, in record), last);
    }

    private static long Use(ref SystemCall call)
    {
        SharedSegments segments = call.Files.Segments;
        UseRecord record = new() { Segments = (ulong)segments.Table.Count };
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            SharedSegment* segment = (SharedSegment*)segments.Table.At(call.Process, index);
            if (segment != null)
            {
                record.Pages += (segment->SizeBytes + PageMask) / PageOperations.PageSize;
                record.ResidentPages += MemoryObject.Status(call.Process, segment->Node, out FileStatus status) == Errno.None
                    ? status.Attributes.Blocks * 512 / PageOperations.PageSize : 0;
            }
        }

        int last = Math.Max(segments.Table.Last, 0);
        return SystemCall.Result(new UserPointer<UseRecord>(call.A2).Write(call.Process, in record), last);
    }
}
