// Requests of a process's address space to its home memory component, and the life of the space at this component. Each successful reply replaces
// the cached ranges. Everything here that sends BLOCKS. Messages: monitors/fabric/messages/SpaceMessages.cs.

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

    private static uint s_nextNumber;

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

        s_nextNumber = (s_nextNumber + 1) & ((1u << NodeShift) - 1);
        space->Asid = ((uint)monitor.Node << NodeShift) | s_nextNumber;
        space->Home = home;
        space->Users = 1;
        return space;
    }

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
        Processes.Spaces.Free(space);
    }

    /// <summary>Sends a request whose reply is a SpaceReply with records, and applies them.</summary>
    public static Errno Request<T>(AddressSpace* space, Opcode opcode, in T head, ReadOnlySpan<byte> payload, out ulong address)
        where T : unmanaged
    {
        using Scratch scratch = ScratchBuffers.Take();
        return Request(space, space, opcode, in head, payload, scratch.Reply, out address);
    }

    /// <summary>As above with the caller's buffer; the records go to <paramref name="target"/> (fork: the child's space).</summary>
    public static Errno Request<T>(AddressSpace* space, AddressSpace* target, Opcode opcode, in T head, ReadOnlySpan<byte> payload,
        Span<byte> reply, out ulong address) where T : unmanaged
    {
        address = 0;
        ProcessorMonitor monitor = ProcessorMonitor.Instance;
        RpcContext context = ContextOf(space);
        Errno error = monitor.Rpc.Call(space->Home, opcode, in context, in head, payload, reply, out int received);
        if (error != Errno.None)
        {
            return error;
        }

        if (received < sizeof(SpaceReply))
        {
            return Errno.EPROTO;
        }

        SpaceReply answer = MemoryMarshal.Read<SpaceReply>(reply);
        address = answer.Address;
        return target->Apply(monitor.Frames, answer.VmaCount, answer.RegionCount, reply.Slice(sizeof(SpaceReply), received - sizeof(SpaceReply)));
    }

    /// <summary>The message context of a space.</summary>
    public static RpcContext ContextOf(AddressSpace* space) => new RpcContext { Asid = space->Asid, Class = RpcClass.DemandFetch };
}
