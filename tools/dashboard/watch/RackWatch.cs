// Asks the rack each second, and tells the pages. When it goes they are told why, and when one of that name is up again they see that one.

using System;
using System.Threading;
using System.Threading.Tasks;
using Lego.Tool;
using Microsoft.Extensions.Hosting;

namespace Lego.Dashboard;

/// <summary>Watches components, counters and logs.</summary>
internal sealed class RackWatch(DashboardOptions options, Feed feed) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private bool _wasUp = true;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                using KeeperClient? client = await KeeperClient.TryConnectToUpAsync(options.Rack);
                if (client is null)
                {
                    TellDown(options.Rack is null ? "no rack is up" : $"no rack {options.Rack} is up");
                }
                else
                {
                    await FollowAsync(client, stoppingToken);
                }
            }
            catch (ToolException error)
            {
                TellDown(error.Message);
            }

            await PauseAsync(stoppingToken);
        }
    }

    private async Task FollowAsync(KeeperClient client, CancellationToken stopping)
    {
        LogTail logs = new(options.Rack);
        TopSample before = await TopSample.TakeAsync(client);
        while (!stopping.IsCancellationRequested)
        {
            await PauseAsync(stopping);
            TopSample now = await TopSample.TakeAsync(client);
            RackState state = RackReading.Between(before, now);
            _wasUp = true;
            feed.Tell("condition", new RackCondition(true, ""));
            feed.Tell("rack", state);
            feed.Append("points", [RackReading.PointOf(state, DateTimeOffset.UtcNow)]);
            feed.Append("log", logs.ReadNew(now.Components));
            before = now;
        }
    }

    /// <summary>The first sentence says most: later ones only that there is none.</summary>
    private void TellDown(string sentence)
    {
        if (_wasUp)
        {
            feed.Tell("condition", new RackCondition(false, sentence));
        }

        _wasUp = false;
    }

    private static async Task PauseAsync(CancellationToken stopping) =>
        await Task.Delay(s_interval, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
