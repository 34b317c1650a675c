// Processes of this host that do nothing but compute, for measuring how a rack fares on a busy host.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Busy loops; disposing ends them.</summary>
internal sealed class BusyLoops : IDisposable
{
    private readonly List<Process> _processes = [];

    private BusyLoops()
    {
    }

    public static async Task<BusyLoops> StartAsync(int count, MachineStarter starter)
    {
        BusyLoops loops = new();
        for (int index = 0; index < count; index++)
        {
            loops._processes.Add(await starter.StartAsync("sh", ["-c", "while :; do :; done"], "/dev/null"));
        }

        return loops;
    }

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            process.Kill();
            process.Dispose();
        }
    }
}
