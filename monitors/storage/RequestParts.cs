// How requests about paths are taken apart: a fixed head, then one or two strings. A request that is shorter than it says is answered here.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Storage;

/// <summary>Reads the parts of a request's body.</summary>
internal static class RequestParts
{
    /// <summary>The fixed part of a request; false when it was answered with EPROTO.</summary>
    internal static bool TryReadHead<T>(scoped ref RpcRequest request, out T head, out ReadOnlySpan<byte> rest) where T : unmanaged
    {
        if (request.TryReadHead(out head, out rest))
        {
            return true;
        }

        request.Reply(Errno.EPROTO);
        return false;
    }

    /// <summary>The next string of a request; false when it was answered with EPROTO.</summary>
    internal static bool TryTakeText(
        scoped ref RpcRequest request, scoped ref ReadOnlySpan<byte> rest, int lengthBytes, out ReadOnlySpan<byte> path)
    {
        if (lengthBytes > rest.Length)
        {
            path = default;
            request.Reply(Errno.EPROTO);
            return false;
        }

        path = rest[..lengthBytes];
        rest = rest[lengthBytes..];
        return true;
    }

    /// <summary>What a walk does with a link in the last place.</summary>
    internal static LastComponent LastOf(PathFlags flags) =>
        (flags & PathFlags.NoFollow) != 0 ? LastComponent.KeepLink : LastComponent.Follow;
}
