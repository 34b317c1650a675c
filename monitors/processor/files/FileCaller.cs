// On whose behalf a message about files is sent: the components that serve the process, its identity for permission checks, and the names
// that go into the message header.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Sender of a request about files.</summary>
public unsafe ref struct FileCaller
{
    /// <summary>The component that asks, and its way to the others.</summary>
    public Processes Processes;
    public PlaceReply Place;
    public uint UserId;
    public uint GroupId;
    public RpcContext Context;

    /// <summary>The process whose supplementary groups count, as they are at each time; null: what has been sent counts.</summary>
    private Process* _member;
    private ReadOnlySpan<uint> _sent;

    public readonly RpcEndpoint Rpc => Processes.Rpc;

    /// <summary>Supplementary groups, where they count: root has all rights without them. Good until the caller waits.</summary>
    public readonly ReadOnlySpan<uint> Groups => _member == null ? _sent : _member->SupplementaryGroups;

    /// <summary>Those of them that a request has room for: the lowest.</summary>
    public readonly ReadOnlySpan<uint> GroupsToSend => Groups.Slice(0, Math.Min(Groups.Length, GroupList.Most));

    /// <summary>What the component remembers of files.</summary>
    public readonly FileLeases Leases => FileSystem.Of(Processes).Leases;

    /// <summary>A process, with its file-system identity.</summary>
    public static FileCaller Of(Process* process)
    {
        FileCaller caller = default;
        caller.Processes = process->Table;
        caller.Place = process->Place;
        caller.ActAs(process, process->FileSystemUserId, process->FileSystemGroupId);
        caller.Context = ContextOf(process->Space);
        caller.Context.VNode = process->VNode;
        return caller;
    }

    /// <summary>A process that uses a node: the components are those of the node.</summary>
    public static FileCaller Of(Process* process, FileNode* node)
    {
        FileCaller caller = Of(process);
        caller.Place = node->Place;
        return caller;
    }

    /// <summary>Takes an identity of a process.</summary>
    public void ActAs(Process* process, uint userId, uint groupId)
    {
        UserId = userId;
        GroupId = groupId;
        _sent = default;
        _member = userId == 0 ? null : process;
    }

    /// <summary>Takes the groups that a request was sent with: those of the process may be others by now.</summary>
    public void HadGroups(ReadOnlySpan<uint> sent)
    {
        _sent = sent;
        _member = null;
    }

    /// <summary>This kernel itself, as root: holds that it gives back, for no process in particular.</summary>
    public static FileCaller Kernel(Processes processes, in PlaceReply place) =>
        new() { Processes = processes, Place = place, Context = ContextOf(null) };

    /// <summary>What a program sees of a failed message: the rack's own failures are I/O errors to it.</summary>
    public static Errno ToProgram(Errno error) =>
        error is Errno.ETIMEDOUT or Errno.EHOSTDOWN or Errno.EHOSTUNREACH or Errno.EPROTO or Errno.EMSGSIZE ? Errno.EIO : error;

    private static RpcContext ContextOf(AddressSpace* space) =>
        new() { Asid = space == null ? 0 : space->Asid, Class = RpcClass.DemandFetch };
}
