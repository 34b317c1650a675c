// `lego bench net`: tools/bench/net.c on a rack and in a Linux guest that are up side by side, each with the same card on a user network of
// its own, against one server on the host (NetworkPeer). Rounds as in SystemCallBench.

using System.Collections.Generic;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Runs the bench.</summary>
internal static class NetworkBench
{
    private const string Source = "tools/bench/net.c";
    private const string GuestPath = "/bench/net";

    /// <summary>Measures; throws a ToolException for a row that does not exist and when a side cannot be booted.</summary>
    public static async Task<IReadOnlyList<SystemCallRow>> RunAsync(
        CardModel card, IReadOnlyList<string> rows, int rounds, CancellationToken cancellation)
    {
        using NetworkPeer peer = new();
        string port = peer.Port.ToString(CultureInfo.InvariantCulture);
        return await SideBySideBench.RunAsync(
            new SideBySideOrder
            {
                Rack = RackDescription.Default with { Network = new NetworkDescription { Card = card } },
                Source = Source,
                GuestPath = GuestPath,
                Rows = rows,
                Rounds = rounds,
                Arguments = [CardArguments.UserRouter, port],
            },
            cancellation);
    }
}
