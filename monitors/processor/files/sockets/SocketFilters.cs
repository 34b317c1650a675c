// The filters of sockets (SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER, SO_GET_FILTER; socket(7)): classic-BPF programs, checked when
// they come, which the network's stack runs for each packet before there is a copy of it. A filter goes with the last socket that has it.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The filters of a component's sockets.</summary>
public sealed unsafe class SocketFilters(FrameAllocator frames)
{
    /// <summary>One filter for so many free frames at boot: it takes up to nine.</summary>
    private const ulong FramesOfFilter = 64;

    private readonly Slab<PacketFilter> _filters = new(frames, Math.Max(frames.FreePages / FramesOfFilter, 4));

    /// <summary>Filters that there are.</summary>
    public ulong Count => _filters.InUse;

    /// <summary>A socket gets a filter instead of what it had. EINVAL, EFAULT, ENOMEM; EPERM: it is locked. BLOCKS.</summary>
    public Errno Attach(Process* process, Socket* socket, ReadOnlySpan<byte> value)
    {
        if (value.Length != sizeof(ProgramRecord))
        {
            return Errno.EINVAL;
        }

        ProgramRecord program = MemoryMarshal.Read<ProgramRecord>(value);
        if (socket->IsFilterLocked || program.Address == 0 || program.Length is 0 or > FilterCode.MaxInstructions)
        {
            return socket->IsFilterLocked ? Errno.EPERM : Errno.EINVAL;
        }

        PacketFilter* filter = _filters.Allocate();
        if (filter == null)
        {
            return Errno.ENOMEM;
        }

        filter->References = 1;
        Errno error = filter->Code.TryTake(frames, program.Length) ? program.Read(process, ref filter->Code) : Errno.ENOMEM;
        error = error == Errno.None ? FilterMachine.Check(ref filter->Code, frames) : error;
        error = error == Errno.None && socket->IsFilterLocked ? Errno.EPERM : error;
        if (error != Errno.None)
        {
            Release(filter);
            return error;
        }

        Replace(socket, filter);
        return Errno.None;
    }

    /// <summary>ENOENT: there is none; EPERM: it is locked.</summary>
    public Errno Detach(Socket* socket)
    {
        if (socket->IsFilterLocked || socket->Filter == null)
        {
            return socket->IsFilterLocked ? Errno.EPERM : Errno.ENOENT;
        }

        Replace(socket, null);
        return Errno.None;
    }

    /// <summary>What is locked stays so: EPERM.</summary>
    public static Errno Lock(Socket* socket, bool locks)
    {
        bool isUnlocking = socket->IsFilterLocked && !locks;
        socket->IsFilterLocked |= locks;
        return isUnlocking ? Errno.EPERM : Errno.None;
    }

    /// <summary>
    /// How many instructions a socket's filter has; they are written where there is room for so many, which is asked by room for none.
    /// EINVAL: there is less. BLOCKS.
    /// </summary>
    public Errno Get(Process* process, Socket* socket, ulong address, int room, out int length)
    {
        PacketFilter* filter = socket->Filter;
        length = filter == null ? 0 : filter->Code.Length;
        if (room == 0 || length == 0)
        {
            return Errno.None;
        }

        if (room < length)
        {
            return Errno.EINVAL;
        }

        filter->References++;
        Errno error = Errno.None;
        for (int index = 0; index < length && error == Errno.None; index++)
        {
            error = new UserPointer<FilterInstruction>(address).WriteAt(process, (ulong)index, in filter->Code[index]);
        }

        Release(filter);
        return error;
    }

    /// <summary>A connection has its listener's filter, and is locked as that is.</summary>
    public void Inherit(Socket* listener, Socket* accepted)
    {
        accepted->IsFilterLocked = listener->IsFilterLocked;
        if (listener->Filter != null)
        {
            listener->Filter->References++;
            Replace(accepted, listener->Filter);
        }
    }

    /// <summary>A socket ends.</summary>
    public void Leave(Socket* socket) => Replace(socket, null);

    private void Replace(Socket* socket, PacketFilter* filter)
    {
        PacketFilter* before = socket->Filter;
        socket->Filter = filter;
        Tell(socket);
        if (before != null)
        {
            Release(before);
        }
    }

    /// <summary>The stack's part of a socket is another one, or its filter is.</summary>
    public static void Tell(Socket* socket)
    {
        if (socket->Tcp != null)
        {
            socket->Tcp->Filter = socket->Filter;
        }

        if (socket->Datagram != null)
        {
            socket->Datagram->Program = socket->Filter;
        }
    }

    private void Release(PacketFilter* filter)
    {
        if (--filter->References == 0)
        {
            filter->Code.GiveBack(frames);
            _filters.Free(filter);
        }
    }
}
