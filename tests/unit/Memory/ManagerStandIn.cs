// A manager of C# for the tests of the memory monitor.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

/// <summary>The manager's Consult, granting to given owners.</summary>
internal sealed class ManagerStandIn : RpcService
{
    internal ushort Owner = 2;
    /// <summary>One for each vRegion; the last one gets what is left. Empty: all are Owner's.</summary>
    internal ushort[] Owners = [];
    internal readonly List<ConsultRequest> Consultations = [];

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        request.TryReadHead(out ConsultRequest consult, out _);
        Consultations.Add(consult);
        OwnerRun[] runs = Owners.Length == 0
            ? [new OwnerRun { Owner = Owner, Count = consult.Count }]
            : [.. Owners.Take((int)consult.Count).Select(owner => new OwnerRun { Owner = owner, Count = 1 })];
        ConsultReply reply = new() { Runs = (uint)runs.Length };
        request.Reply(Errno.None, reply, MemoryMarshal.AsBytes(runs.AsSpan()));
        return RpcDisposition.Done;
    }
}
