// The program that `lego dashboard` becomes (tools/lego/commands/DashboardCommand.cs), with the words that it has checked: a rack's name or
// an empty word, a port, and "control" or "watch".

using System;
using System.Globalization;
using System.Linq;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Lego.Dashboard;

/// <summary>What the dashboard was asked for.</summary>
/// <param name="Rack">The name of the rack; null for the one without.</param>
/// <param name="Port">Of the loopback; 0: any that is free.</param>
/// <param name="HasControl">Whether the page may drain, freeze and kill components.</param>
internal sealed record DashboardOptions(string? Rack, int Port, bool HasControl);

/// <summary>The entry.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] words)
    {
        try
        {
            DashboardOptions options = new(
                words[0].Length == 0 ? null : words[0], int.Parse(words[1], CultureInfo.InvariantCulture), words[2] == "control");
            await using WebApplication application = DashboardServer.Create(options);
            string address = await DashboardServer.StartAsync(application, options);
            string rack = options.Rack is null ? "the rack that is up" : $"rack {options.Rack}";
            Console.WriteLine($"{address} shows {rack} until Ctrl-C.");
            await application.WaitForShutdownAsync();
            // A watcher that has failed has ended the server; its error is this program's.
            await Task.WhenAll(application.Services.GetServices<IHostedService>().OfType<BackgroundService>()
                .Select(service => service.ExecuteTask ?? Task.CompletedTask).Where(watching => watching.IsFaulted));
            return ExitStatus.Success;
        }
        catch (ToolException error)
        {
            Console.Error.WriteLine($"lego: {error.Message}");
            return error.Status;
        }
    }
}
