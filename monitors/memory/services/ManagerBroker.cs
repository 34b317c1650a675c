// Asks the manager component (GMM) for owners of new vRegions: one message for all contiguous regions (LegoOS: M2MM_CONSULT). Blocks.
// A manager that has begun anew says EAGAIN until it has heard of all members; a question that the former one has got is asked again.
// Without a manager (node 0: tests, an image on its own) this component owns what it needs.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>The image's region broker.</summary>
internal sealed unsafe class ManagerBroker : RegionBroker
{
    private const ulong PauseNs = 50_000_000;
    /// <summary>Half a minute: a manager takes a second or two to begin anew.</summary>
    private const int MostTries = 600;

    private readonly RpcEndpoint _rpc;
    private readonly FramePool _pool;
    private readonly ushort _manager;
    private readonly ulong _regionBytes;
    private ulong _consultations;

    internal ManagerBroker(RpcEndpoint rpc, FramePool pool, ushort manager, ulong regionBytes)
    {
        _rpc = rpc;
        _pool = pool;
        _manager = manager;
        _regionBytes = regionBytes;
    }

    /// <inheritdoc/>
    public override Errno Consult(
        ushort vnode, uint asid, in RegionDemand demand, Span<OwnerRun> runs, out int count, out ulong rackBytes)
    {
        count = 1;
        runs[0] = new OwnerRun { Owner = _rpc.Node, Count = (uint)((demand.End - demand.Start) / _regionBytes) };
        rackBytes = _pool.TotalFrames * PageOperations.PageSize;
        if (_manager == 0)
        {
            return Errno.None;
        }

        _consultations++;
        ConsultRequest request = default;
        request.Start = demand.Start;
        request.RegionBytes = _regionBytes;
        request.Count = runs[0].Count;
        request.FreeBytes = _pool.FreeFrames * PageOperations.PageSize;
        request.TotalBytes = rackBytes;
        RpcContext context = default;
        context.VNode = vnode;
        context.Asid = asid;
        Span<byte> reply = stackalloc byte[sizeof(ConsultReply) + (OwnerRun.Most * sizeof(OwnerRun))];
        Errno error = _rpc.Call(_manager, Opcode.Consult, context, request, default, reply, out int received);
        for (int tries = 0; error is Errno.EAGAIN or Errno.EHOSTDOWN && tries < MostTries; tries++)
        {
            Scheduler.Sleep(PauseNs);
            error = _rpc.Call(_manager, Opcode.Consult, context, request, default, reply, out received);
        }

        if (error != Errno.None)
        {
            return error;
        }

        ConsultReply head = received < sizeof(ConsultReply) ? default : MemoryMarshal.Read<ConsultReply>(reply);
        ReadOnlySpan<byte> records = reply.Slice(0, received).Slice(Math.Min(received, sizeof(ConsultReply)));
        if (head.Runs is 0 or > OwnerRun.Most || records.Length != (int)head.Runs * sizeof(OwnerRun))
        {
            return Errno.EPROTO;
        }

        count = (int)head.Runs;
        rackBytes = head.RackBytes;
        MemoryMarshal.Cast<byte, OwnerRun>(records).CopyTo(runs);
        return Errno.None;
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer) => writer.Add("memory.consultations"u8, _consultations);
}
