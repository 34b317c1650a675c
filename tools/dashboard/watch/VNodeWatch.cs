// Asks the manager for the rack's vNodes, on a connection of its own: a manager that does not answer delays nothing else.

using System;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.Extensions.Hosting;

namespace Lego.Dashboard;

/// <summary>Watches vNodes.</summary>
internal sealed class VNodeWatch(DashboardOptions options, Feed feed) : BackgroundService
{
    /// <summary>Each answer costs the manager a message to every component.</summary>
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                using KeeperClient? client = await KeeperClient.TryConnectToUpAsync(options.Rack);
                while (client is not null && !stoppingToken.IsCancellationRequested)
                {
                    feed.Tell("vnodes", await VNodeCommands.ListAsync(client).WaitAsync(stoppingToken));
                    await PauseAsync(stoppingToken);
                }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (ToolException)
            {
                // RackWatch says what has become of the rack; of vNodes there are none that anybody knows.
                feed.Tell("vnodes", Array.Empty<VNodeLine>());
            }

            await PauseAsync(stoppingToken);
        }
    }

    private static async Task PauseAsync(CancellationToken stopping) =>
        await Task.Delay(s_interval, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
