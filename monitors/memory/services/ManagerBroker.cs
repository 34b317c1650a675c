// Asks the manager component (GMM) for owners of new vRegions: one message for all contiguous regions (LegoOS: M2MM_CONSULT). Blocks.
// Without a manager (node 0: tests, an image on its own) this component owns what it needs.
// So it does when the manager names another: mappings are served by the home of their space only, so the home keeps the regions rather
// than refuse its program memory.

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
    private ulong _keptRegions;

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
        if (error == Errno.None && reply.Owner != owner)
        {
            _keptRegions += request.Count;
        }

        return error;
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.consultations"u8, _consultations);
        writer.Add("memory.regions_kept"u8, _keptRegions);
    }
}
