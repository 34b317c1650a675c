// The web server: on the loopback only, and with nothing that it has not been told here, whatever ASP.NET's environment variables say.

using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Lego.Dashboard;

/// <summary>Makes and starts it.</summary>
internal static class DashboardServer
{
    public static WebApplication Create(DashboardOptions options)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, options.Port);
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(options);
        builder.Services.AddSingleton<Feed>();
        builder.Services.AddHostedService<RackWatch>();
        builder.Services.AddHostedService<VNodeWatch>();
        WebApplication application = builder.Build();
        ControlToken token = new(options.HasControl);
        application.Use(LoopbackGuard.RefuseForeignHostsAsync);
        application.UseRouting();
        PageFiles.Map(application, token);
        IHostApplicationLifetime lifetime = application.Lifetime;
        application.MapGet("/events", (Feed feed) => TypedResults.ServerSentEvents(feed.ReadAsync(lifetime.ApplicationStopping)));
        ControlRoute.Map(application, options, token);
        return application;
    }

    /// <summary>Starts it; where it is.</summary>
    /// <exception cref="ToolException">The port cannot be had.</exception>
    public static async Task<string> StartAsync(WebApplication application, DashboardOptions options)
    {
        try
        {
            await application.StartAsync();
        }
        catch (IOException error) when (error.InnerException is AddressInUseException)
        {
            throw ToolException.Host($"port {options.Port} of 127.0.0.1 is taken; --port 0 takes one that is free");
        }
        catch (SocketException error)
        {
            throw ToolException.Host($"port {options.Port} of 127.0.0.1 cannot be had: {error.Message}");
        }

        IServer server = application.Services.GetRequiredService<IServer>();
        return server.Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single() + "/";
    }
}
