// Asks the manager component (GMM) for owners of new vRegions: one message for all contiguous regions (LegoOS: M2MM_CONSULT). Blocks.
// Without a manager (node 0: tests, an image on its own) this component owns what it needs.

using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>The image's region broker.</summary>
internal sealed class ManagerBroker : RegionBroker
{
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
    public override Errno Consult(ushort vnode, uint asid, in RegionDemand demand, out ushort owner)
    {
        owner = _rpc.Node;
        if (_manager == 0)
        {
            return Errno.None;
        }

        _consultations++;
        ConsultRequest request = default;
        request.Start = demand.Start;
        request.RegionBytes = _regionBytes;
        request.Count = (uint)((demand.End - demand.Start) / _regionBytes);
        request.FreeBytes = _pool.FreeFrames * PageOperations.PageSize;
        request.TotalBytes = _pool.TotalFrames * PageOperations.PageSize;
        RpcContext context = default;
        context.VNode = vnode;
        context.Asid = asid;
        Errno error = _rpc.Call(_manager, Opcode.Consult, context, request, default, out ConsultReply reply);
        if (error == Errno.None)
        {
            owner = reply.Owner;
        }

        return error;
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer) => writer.Add("memory.consultations"u8, _consultations);
}
