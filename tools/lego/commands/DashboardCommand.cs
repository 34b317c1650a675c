// `lego dashboard`: what `lego top` shows, and more, as a web page. The server is another program (tools/dashboard), because every command
// would wait for ASP.NET's assemblies to be found if they were this one's; this process becomes it (execve(2)), so that its signals and its
// status are the command's.

using System;
using System.CommandLine;
using System.Globalization;
using System.IO;
using Mono.Unix.Native;

namespace Lego.Tool;

/// <summary>The dashboard command.</summary>
internal static class DashboardCommand
{
    /// <summary>LEGO on a telephone's keys.</summary>
    private const int DefaultPort = 5346;

    public static Command Create()
    {
        Command command = new("dashboard",
            "Show the rack that is up as a web page on this host's loopback, until Ctrl-C: charts, the components and the links between "
            + "them, vRegions and their owners, vNodes, logs.");
        RackName name = new(command);
        Option<int> port = new("--port")
        {
            Description = $"The port of 127.0.0.1 ({DefaultPort}); 0 for one that is free.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultPort,
        };
        Option<bool> control = new("--control")
        {
            Description = "Let the page drain, freeze and kill components; without it, it only shows.",
        };
        command.Options.Add(port);
        command.Options.Add(control);
        command.SetAction(async result =>
        {
            int wanted = result.GetValue(port);
            if (wanted is < 0 or > ushort.MaxValue)
            {
                throw ToolException.Usage($"--port {wanted}: a port is a number from 1 to {ushort.MaxValue}, or 0 for one that is free");
            }

            (await name.ConnectAsync(result, "there is nothing to show")).Dispose();
            return Become(name.Read(result) ?? "", wanted, result.GetValue(control));
        });
        return command;
    }

    private static int Become(string rack, int port, bool hasControl)
    {
        string program = Path.Combine(HostPaths.Out, "dashboard", "Lego.Dashboard.dll");
        if (!File.Exists(program))
        {
            throw ToolException.Host($"{program} is missing; build it with: dotnet build tools/dashboard");
        }

        Console.Out.Flush();
        // The list ends with a null pointer, as in C.
        Syscall.execv(HostPaths.Dotnet,
            ["dotnet", program, rack, port.ToString(CultureInfo.InvariantCulture), hasControl ? "control" : "watch", null!]);
        throw ToolException.Host($"{HostPaths.Dotnet} cannot be run: {Stdlib.GetLastError()}");
    }
}
