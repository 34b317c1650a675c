// Requests of a process's address space to its home memory component, and the life of the space at this component. Each reply replaces
// the cached ranges, that of a refused request, too: it may have been carried out in part. Everything here that sends BLOCKS.
// Messages: monitors/fabric/messages/SpaceMessages.cs.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Address spaces and their home.</summary>
public static unsafe class Spaces
{
    private const int NodeShift = 24;

    private static uint s_lastNumber;
    private static AddressSpace* s_first;

    /// <summary>The first of all spaces of this component, linked by Next.</summary>
    public static AddressSpace* First => s_first;

    /// <summary>A space with an empty page table and a name of its own; null when memory is exhausted.</summary>
    public static AddressSpace* Create(ushort home)
    {
        ProcessorMonitor monitor = ProcessorMonitor.Instance;
        AddressSpace* space = Processes.Spaces.Allocate();
        if (space == null)
        {
            return null;
        }

        space->PageTableRoot = PageTable.CreateUser(monitor.Frames);
        if (space->PageTableRoot == 0)
        {
            Processes.Spaces.Free(space);
            return null;
        }

        space->Asid = NextName(monitor.Node, ref s_lastNumber, s_first);
        space->Home = home;
        space->Users = 1;
        space->Next = s_first;
        if (s_first != null)
        {
            s_first->Previous = space;
        }

        s_first = space;
        return space;
    }

    /// <summary>A name that no space on the list has: numbers come round after 2^24 forks and execs, and some processes live long.</summary>
    internal static uint NextName(ushort node, ref uint last, AddressSpace* first)
    {
        while (true)
        {
            last = (last + 1) & ((1u << NodeShift) - 1);
            uint name = ((uint)node << NodeShift) | last;
            AddressSpace* space = first;
            while (space != null && space->Asid != name)
            {
                space = space->Next;
            }

            if (space == null)
            {
                return name;
            }
        }
    }

    /// <summary>
    /// Keeps the space alive over waits for somebody who is not one of its processes; Release ends it.
    /// </summary>
    public static void Hold(AddressSpace* space) => space->Users++;

    /// <summary>One user less; the last one drops all lines and tells the home. BLOCKS.</summary>
    public static void Release(AddressSpace* space)
    {
        space->Users--;
        if (space->Users != 0)
        {
            return;
        }

        ProcessorMonitor monitor = ProcessorMonitor.Instance;
        monitor.ExCache.DropSpace(space);
        RpcContext context = ContextOf(space);
        Errno error = monitor.Rpc.Call(space->Home, Opcode.Exit, in context, default, default, default, out _);
        if (error is not (Errno.None or Errno.ESRCH))
        {
            Log.Warn($"address space {space->Asid:x}: its home, component {(int)space->Home}, did not confirm the end, error {(int)error}");
        }

        Discard(space);
    }

    /// <summary>Frees a space that its home does not know.</summary>
    public static void Discard(AddressSpace* space)
    {
        ProcessorMonitor monitor = ProcessorMonitor.Instance;
        if (space->PageTableRoot != 0)
        {
            PageTable.Free(space->PageTableRoot, monitor.Frames);
        }

        space->Ranges.Clear(monitor.Frames);
        space->Regions.Clear(monitor.Frames);
        if (space->Previous != null)
        {
            space->Previous->Next = space->Next;
        }
        else
        {
            s_first = space->Next;
        }

        if (space->Next != null)
        {
            space->Next->Previous = space->Previous;
        }

        Processes.Spaces.Free(space);
    }

    /// <summary>
    /// Asks the home for a change after which the old pages of [start, end) are gone (munmap, MAP_FIXED, MADV_DONTNEED), and forgets them once
    /// it has agreed. On an error they are as before. EPROTO as for Request. BLOCKS.
    /// </summary>
    public static Errno Replace<T>(AddressSpace* space, Opcode opcode, in T head, ReadOnlySpan<byte> payload, ulong start, ulong end,
        out ulong address) where T : unmanaged
    {
        ExCache cache = ProcessorMonitor.Instance.ExCache;
        using Scratch scratch = ScratchBuffers.Take();
        cache.BeginChange(space);
        cache.Leave(space, start, end);
        Errno error = Request(space, space, opcode, in head, payload, scratch.Reply, out address);
        if (error == Errno.None)
        {
            cache.Drop(space, start, end);
        }
        else
        {
            cache.Settle(space, start, end);
        }

        cache.EndChange(space);
        return error;
    }

    /// <summary>Asks the home for a change that leaves all pages where they are, and lets lines of [start, end) follow it. BLOCKS.</summary>
    public static Errno Change<T>(AddressSpace* space, Opcode opcode, in T head, ReadOnlySpan<byte> payload, ulong start, ulong end,
        out ulong address) where T : unmanaged
    {
        ExCache cache = ProcessorMonitor.Instance.ExCache;
        using Scratch scratch = ScratchBuffers.Take();
        cache.BeginChange(space);
        Errno error = Request(space, space, opcode, in head, payload, scratch.Reply, out address);
        cache.Settle(space, start, end);
        cache.EndChange(space);
        return error;
    }

    /// <summary>
    /// Sends a request whose reply is a SpaceReply with records, and applies them to <paramref name="target"/> (fork: the child's space). EPROTO:
    /// what the home says makes no sense, so nothing is known about the space any more and its processes must end. The caller holds the space.
    /// </summary>
    public static Errno Request<T>(AddressSpace* space, AddressSpace* target, Opcode opcode, in T head, ReadOnlySpan<byte> payload,
        Span<byte> reply, out ulong address) where T : unmanaged
    {
        address = 0;
        ProcessorMonitor monitor = ProcessorMonitor.Instance;
        Errno error = target->ReserveRecords(monitor.Frames);
        if (error != Errno.None)
        {
            return error;
        }

        RpcContext context = ContextOf(space);
        error = monitor.Rpc.Call(space->Home, opcode, in context, in head, payload, reply, out int received);
        bool hasRecords = received >= sizeof(SpaceReply);
        if (error != Errno.None && (!hasRecords || target != space))
        {
            return error;
        }

        if (!hasRecords)
        {
            return Errno.EPROTO;
        }

        SpaceReply answer = MemoryMarshal.Read<SpaceReply>(reply);
        ReadOnlySpan<byte> records = reply.Slice(sizeof(SpaceReply), received - sizeof(SpaceReply));
        Errno applied = target->Apply(monitor.Frames, answer.VmaCount, answer.RegionCount, records);
        if (applied != Errno.None)
        {
            return applied == Errno.ENOMEM && target != space ? applied : Errno.EPROTO;
        }

        address = answer.Address;
        return error;
    }

    /// <summary>The message context of a space.</summary>
    public static RpcContext ContextOf(AddressSpace* space) => new RpcContext { Asid = space->Asid, Class = RpcClass.DemandFetch };
}
