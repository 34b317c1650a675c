// Group 0: the fabric's own service. Echo answers with the request's body: it shows that a component is alive, and it is the floor that
// every other request is measured against.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Built into every endpoint.</summary>
internal sealed class EchoService : RpcService
{
    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (request.Opcode == Opcode.Echo)
        {
            request.Reply(Errno.None, request.Body);
        }
        else
        {
            request.Reply(Errno.EOPNOTSUPP);
        }

        return RpcDisposition.Done;
    }

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) => true;
}
