// The serving side of an opcode group. One service per group and endpoint, registered at boot.
//
// TryHandle runs inside the endpoint's poll, with the body still lying in the link: it must not block, and what it reads from the body it
// reads once (a ring's peer could change it). If the answer needs to block, TryHandle changes nothing and returns Deferred; the request is
// then copied and a worker thread runs Handle. Either way Reply is called exactly once.
//
// On links that lose frames a requester repeats requests. One whose reply got lost is not executed twice: idempotent requests simply run
// again, the replies of all others are remembered, except those that RunsReplays claims because remembering their reply would cost more.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>What TryHandle did with a request.</summary>
public enum RpcDisposition
{
    /// <summary>Reply was called.</summary>
    Done,
    /// <summary>Nothing has happened; a worker must run Handle.</summary>
    Deferred,
}

/// <summary>Serves one opcode group.</summary>
public abstract unsafe class RpcService
{
    /// <summary>Serves the request without blocking, or defers it.</summary>
    [NoBlock]
    public abstract RpcDisposition TryHandle(ref RpcRequest request);

    /// <summary>Serves a deferred request; may BLOCK. Runs in a worker thread.</summary>
    public virtual void Handle(ref RpcRequest request) => request.Reply(Kernel.Errno.EOPNOTSUPP);

    /// <summary>True when running the request again changes nothing, even late, after other requests: reads are, writes are not.</summary>
    public virtual bool IsIdempotent(Opcode opcode) => false;

    /// <summary>
    /// True when a repeat of an executed request comes here again with IsReplay set, instead of getting the remembered reply.
    /// </summary>
    public virtual bool RunsReplays(Opcode opcode) => false;
}
