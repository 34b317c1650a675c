// A manager of C# for the tests of the memory monitor.

using System.Collections.Generic;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

/// <summary>The manager's Consult, granting to a given owner.</summary>
internal sealed class ManagerStandIn : RpcService
{
    internal ushort Owner = 2;
    internal readonly List<ConsultRequest> Consultations = [];

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        request.TryReadHead(out ConsultRequest consult, out _);
        Consultations.Add(consult);
        ConsultReply reply = default;
        reply.Owner = Owner;
        request.Reply(Errno.None, reply);
        return RpcDisposition.Done;
    }
}
